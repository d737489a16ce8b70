"""The data of the emulated tenant: users, actions, settings, and how they are made up."""
