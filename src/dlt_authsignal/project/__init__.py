"""The folder of a project: where dlt keeps the state of its pipelines, and what the pipelines are named."""
