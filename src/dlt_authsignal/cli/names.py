"""What a command calls the project's pipeline and dataset, unless its options say otherwise."""

from typing import Final

PIPELINE: Final = "pipeline_name in .dlt/config.toml, or authsignal_pipeline"
DATASET: Final = "dataset_name in .dlt/config.toml, or authsignal_data"
