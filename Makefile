# Everything a person or CI runs. `make demo` needs Python 3.11+, git, make and a package index; `make test` also Node 20+.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One worker more than cores: a test that waits for a server leaves its core to another one.
WORKERS ?= $(shell $(PYTHON) -c "import os; print(1 + (os.cpu_count() or 1))")
# What .ci/run adds to the tests.
TEST_OPTIONS ?=
READY := $(VENV)/.ready
# "moved" if the commands of the environment still name another folder: then it works only after it is made again.
MOVED := $(if $(wildcard $(READY)),$(shell grep -qF "$(abspath $(VENV))/" $(BIN)/dlt-authsignal || echo moved))
DEV := $(VENV)/.dev
SITE := $(VENV)-site/.ready
PACKAGE := $(VENV)-package/.ready
EXTRAS := $(addprefix --extra ,assistant sandbox metrics postgres ray redis s3 delta iceberg sql dashboard notebooks receiver spool alerts)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Without compiled modules, each Python that a test or a command starts takes a second longer.
export PYTHONDONTWRITEBYTECODE :=
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: moved demo test test-deep coverage test-unit test-destinations test-schedulers test-crash system-packages lint format bench contract docs docs-site package sbom pictures lock clean

$(READY): requirements.lock pyproject.toml $(MOVED)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed. Name another one, for example: make demo PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(if $(MOVED),--clear) $(VENV)
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --editable .
	@touch $@

$(DEV): $(READY) requirements-dev.lock
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(READY) ## a local Authsignal, loaded into DuckDB, with its KPIs and a report
	@$(BIN)/dlt-authsignal demo

test-unit: $(DEV) ## the tests without a server, in seconds
	$(BIN)/python -m pytest tests/unit

system-packages: ## Node, Chromium, PostgreSQL and nginx, for the tests; silent when they are there
	@sh scripts/system_packages.sh

test: $(DEV) system-packages ## every feature, at least once
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=20 $(TEST_OPTIONS)

DEEP := --hypothesis-profile=deep -m '(deep or examples or hypothesis) and not slow and not stand_in and not crash'

test-deep: $(DEV) $(SITE) $(PACKAGE) system-packages ## the long forms of what make test covers
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=20 --timeout 300 $(DEEP) $(TEST_OPTIONS)

coverage: $(DEV) $(SITE) $(PACKAGE) system-packages ## branches that make test and make test-deep run, in the processes that they start too
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) --timeout 600
	$(BIN)/coverage run -m pytest -n $(WORKERS) --timeout 900 $(DEEP)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# each in an environment of its own: their pins would bind ours
.venv-%/.ready: tests/schedulers/%.txt pyproject.toml
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r tests/schedulers/$*.txt
	@touch $@

test-schedulers: $(DEV) system-packages .venv-airflow/.ready .venv-dagster/.ready .venv-judges/.ready .venv-dbt/.ready ## the examples in Airflow, Dagster …
	$(BIN)/python -m pytest tests/schedulers

test-destinations: $(DEV) system-packages ## S3 and the stand-ins of warehouses, in environments of their own
	@PYTHON=$(PYTHON) sh scripts/test_destinations.sh

test-crash: $(DEV) system-packages ## syncs killed at every named point and at 220 random moments, and repaired; many fault storms and interleavings
	$(BIN)/python -m pytest -n $(WORKERS) --hypothesis-profile=deep -m 'crash or not crash' tests/crash tests/test_receiver_kills.py tests/test_fault_storms.py tests/test_stateful.py tests/test_events_interleavings.py
	$(BIN)/python -m pytest -n $(WORKERS) --hypothesis-profile=deep -m crash tests/test_configuration_versions.py tests/test_dashboard_figures.py

lint: $(DEV) ## style, types, layers, words, links and tables
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_words.py

format: $(DEV) ## what lint asks for, done
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV) ## sync beside dlt's rest_api and a bare script; start-up, HTTP clients, file formats, a million rows, a big sandbox
	@sh scripts/system_packages.sh bench
	@$(BIN)/python benchmarks/side_by_side.py $(BENCH)
	@$(BIN)/python benchmarks/startup.py
	@$(BIN)/python benchmarks/http_clients.py
	@$(BIN)/python benchmarks/client_cost.py
	@$(BIN)/python benchmarks/politeness.py
	@$(BIN)/python benchmarks/worker_rate.py
	@$(BIN)/python benchmarks/shared_rate.py
	@$(BIN)/python benchmarks/worker_cost.py
	@$(BIN)/python benchmarks/loader_formats.py
	@$(BIN)/python benchmarks/bulk_rows.py
	@$(BIN)/python benchmarks/sandbox_scale.py

contract: $(DEV) ## at a release: its names, commands, tables and views are what later ones must keep
	$(BIN)/python scripts/check_contract.py --write

docs: $(DEV) ## regenerates the tables, KPIs, commands, llms.txt, destinations and the assistants' dictionary
	$(BIN)/python scripts/generate_docs.py

# in environments of their own: users and tests do not need these packages
$(SITE) $(PACKAGE): $(VENV)-%/.ready: requirements-%.lock
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

package: $(PACKAGE) ## the sdist and the wheel in dist/, checked
	$(VENV)-package/bin/python scripts/build_package.py

sbom: $(PACKAGE) $(READY) ## the bill of materials of the locked dependencies, and their licences, in build/sbom/
	$(VENV)-package/bin/python scripts/build_sbom.py

docs-site: $(SITE) ## the documentation as a site in build/site/html, with search; stops at dead links
	$(VENV)-site/bin/python scripts/docs_site.py

pictures: $(DEV) system-packages ## every picture of README and docs, from the demo
	$(BIN)/python scripts/pictures.py

lock: ## needs uv; resolves pyproject.toml anew
	$(COMPILE) $(EXTRAS) --group dev pyproject.toml -o requirements-dev.lock
	$(COMPILE) --extra receiver --extra sandbox -c requirements-dev.lock pyproject.toml -o requirements.lock
	uv pip compile --quiet --python-version 3.11 --resolution lowest-direct --no-emit-index-url --no-header --no-annotate $(EXTRAS) pyproject.toml -o tests/stand_ins/lowest.txt
	$(COMPILE) --group pyproject.toml:site -o requirements-site.lock
	$(COMPILE) --group pyproject.toml:package -o requirements-package.lock

clean:
	rm -rf $(VENV) $(VENV)-* tests/node/node_modules build dist .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* authsignal_demo.duckdb report.html .dlt/.var/pipelines/authsignal_demo*
