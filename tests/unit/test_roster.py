"""Files of user ids."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_authsignal.source.roster import from_file

IDS = ["u1", "a,b", "zürich"]


def write(path: Path) -> Path:
    """The same three ids in the format that the ending names, one of them twice."""
    ids = [*IDS, "u1"]
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"name": ["x"] * 4, "userId": ids}), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(i if i == "u1" else {"n": 1, "userId": i}) + "\n" for i in ids), "utf-8")
    elif path.suffix == ".csv":
        path.write_text("\ufeffname;User_Id\n" + "".join(f'x;"{i}"\n' for i in ids), "utf-8")
    elif path.suffix == ".tsv":
        path.write_text("name\tid\n" + "".join(f"x\t{i}\n" for i in ids), "utf-8")
    else:
        path.write_text("\n".join(ids) + "\r\n \n", "utf-8")
    return path


@pytest.mark.parametrize("ending", ["txt", "csv", "tsv", "jsonl", "ndjson", "parquet"])
def test_every_format_gives_each_id_once_in_order(tmp_path: Path, ending: str) -> None:
    file = write(tmp_path / f"ids.{'jsonl' if ending == 'ndjson' else ending}")
    if ending == "ndjson":
        file = file.rename(file.with_suffix(".ndjson"))
    assert [candidate.user_id for candidate in from_file(file)] == IDS


def test_numbers_are_ids_too(tmp_path: Path) -> None:
    file = tmp_path / "ids.parquet"
    pq.write_table(pa.table({"id": [1, None, 3]}), file)
    assert [(c.user_id, c.position) for c in from_file(file)] == [("1", 1), ("3", 3)]


def test_a_csv_with_one_column_and_no_header_is_a_list(tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text("u1\nu2\n")
    assert [(c.user_id, c.position) for c in from_file(file)] == [("u1", 1), ("u2", 2)]


def test_another_column_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text("id,external\n1,u1\n2\n3,u3\n")
    assert [c.user_id for c in from_file(file, "external")] == ["u1", "u3"]
