"""Attack signals (KPI 21): one SQL file and one entry of the dictionary for each rule, with thresholds as settings."""
