# Everything a person or CI runs. `make demo` needs Python 3.11+, git, make and a package index; `make test` also Node 20+.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-unit system-packages lint format bench docs lock clean

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.12, say."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(READY) ## a local Authsignal, synced into DuckDB, with its KPIs
	@$(BIN)/dlt-authsignal demo

test-unit: $(READY) ## the tests without a server, in seconds
	$(BIN)/python -m pytest tests/unit

system-packages: ## Node and Chromium, for Authsignal's JavaScript SDKs; silent when they are there
	@sh scripts/system_packages.sh

test: $(READY) system-packages ## all tests
	$(BIN)/python -m pytest -n 2

lint: $(READY) ## style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## what lint asks for, done
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## start-up, concurrency, HTTP clients, file formats and a big sandbox
	@$(BIN)/python benchmarks/startup.py
	@$(BIN)/python benchmarks/concurrency.py
	@$(BIN)/python benchmarks/http_clients.py
	@$(BIN)/python benchmarks/loader_formats.py
	@$(BIN)/python benchmarks/sandbox_scale.py

docs: $(READY) ## regenerates the tables, KPIs, commands, llms.txt and the assistants' dictionary
	$(BIN)/python scripts/generate_docs.py

lock: ## needs uv; resolves pyproject.toml anew
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev --generate-hashes \
		--no-emit-index-url --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) tests/node/node_modules build dist .mypy_cache .ruff_cache .hypothesis authsignal_demo.duckdb
