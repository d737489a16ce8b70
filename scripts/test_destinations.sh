#!/bin/sh
# The contract of every destination: what make test leaves out (S3, Azure, Redshift's stand-in), the stand-ins, and the lowest
# versions that pyproject.toml allows, which need environments of their own, which are made in .venv-<name> the first time. Arguments: the ones to run, all by default.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

# what the package needs, but for what the stand-ins pin otherwise
needs() {
    "$python" -c '
import re, tomllib
needed = tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]
print("\n".join(it for it in needed if re.split(r"[^a-z0-9-]", it)[0] not in ("dlt", "duckdb", "sqlglot")))'
}

stand_in() { # name, pytest arguments…
    name=$1
    shift
    asked="tests/stand_ins/$name.txt tests/stand_ins/common.txt pyproject.toml"
    if [ ! -e ".venv-$name/.ready" ] || [ -n "$(find $asked -newer ".venv-$name/.ready")" ]; then
        "$python" -m venv ".venv-$name"
        install=".venv-$name/bin/python -m pip install --quiet --disable-pip-version-check"
        needs >".venv-$name/needs.txt"
        $install -r "tests/stand_ins/$name.txt" -r ".venv-$name/needs.txt" -r tests/stand_ins/common.txt
        $install --no-deps --editable .
        touch ".venv-$name/.ready"
    fi
    echo "== $name"
    ".venv-$name/bin/python" -m pytest --timeout 300 -m stand_in -W ignore "$@"
}

# the lowest allowed versions of all direct dependencies, as make lock found them
lowest() {
    if [ ! -e .venv-lowest/.ready ] || [ tests/stand_ins/lowest.txt -nt .venv-lowest/.ready ]; then
        "$python" -m venv .venv-lowest
        install=".venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check"
        $install -r tests/stand_ins/lowest.txt -r tests/stand_ins/common.txt authsignal==4.1.0 flask-cors "moto[s3]" pytest-xdist
        $install --no-deps --editable .
        touch .venv-lowest/.ready
    fi
    echo "== lowest"
    .venv-lowest/bin/python -m pytest --timeout 300 -n 2 -W ignore tests/test_sync.py tests/test_sandbox.py tests/test_models.py \
        tests/test_mcp.py tests/test_receiver.py tests/test_events_load.py tests/test_postgres.py tests/test_fixtures.py
}

for name in ${*:-slow lowest snowflake bigquery databricks}; do
    case $name in
    slow) echo "== S3, Azure, Redshift" && .venv/bin/python -m pytest --timeout 300 -n 2 -m 'slow and not stand_in' ;;
    lowest) lowest ;;
    snowflake) stand_in snowflake tests/test_destinations.py -k snowflake ;;
    bigquery) stand_in bigquery -p no:bqemulator tests/test_destinations.py -k bigquery ;;
    databricks) stand_in databricks tests/test_databricks.py ;;
    *) echo "No such destination: $name" >&2 && exit 2 ;;
    esac
done
