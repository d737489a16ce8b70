"""The same rows by dlt's own `rest_api`: what one writes after reading the dltHub page, and dlt's defaults otherwise.

The listing is the parent of three dependent resources, read in parallel: python stock.py BASE_URL SECRET DATABASE
"""

import os
import sys

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

import dlt
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import EndpointResource, RESTAPIConfig


def per_user(name: str, path: str, key: str | list[str]) -> EndpointResource:
    """A resource that asks once for each user of the listing."""
    return {
        "name": name,
        "primary_key": key,
        "include_from_parent": ["userId"],
        "endpoint": {
            "path": f"users/{{resources.listing.userId}}{path}",
            "paginator": "single_page",
            "data_selector": "$",
        },
    }


def config(base_url: str, secret: str) -> RESTAPIConfig:
    return {
        "client": {"base_url": base_url, "auth": {"type": "http_basic", "username": secret, "password": ""}},
        "resource_defaults": {"write_disposition": "merge", "parallelized": True},
        "resources": [
            {
                "name": "listing",
                "primary_key": "userId",
                "endpoint": {
                    "path": "users",
                    "params": {"limit": 100},
                    "data_selector": "users",
                    "paginator": {
                        "type": "cursor",
                        "cursor_path": "lastEvaluatedUserId",
                        "cursor_param": "lastEvaluatedUserId",
                    },
                },
            },
            per_user("users", "", "_listing_userId"),
            per_user("user_authenticators", "/authenticators", "userAuthenticatorId"),
            per_user("user_actions", "/actions", ["_listing_userId", "actionCode", "idempotencyKey"]),
        ],
    }


def load(base_url: str, secret: str, file: str) -> None:
    pipeline = dlt.pipeline("stock", destination=dlt.destinations.duckdb(file), dataset_name="authsignal_data")
    pipeline.run(rest_api_source(config(base_url, secret)))


if __name__ == "__main__":
    load(*sys.argv[1:])
