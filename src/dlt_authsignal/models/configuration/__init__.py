"""The views `config_changes` and `config_change_effects`: what was changed in the configuration, and its effect."""
