"""Rosters in SQL: Parquet or CSV, columns by their names or aliases, and files that cannot be used."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.errors import UsageError
from lakehouse.roster.generate import write_roster

SHOWN = "SELECT id, name, role, city, certs, available, years FROM workers ORDER BY id"


def test_a_roster_in_csv_is_read_by_its_own_names(lab: Any, rows: Any) -> None:
    (lab.root / "_kb" / "workers.csv").write_text(
        "Worker_ID,name,role,certifications,available,years_experience,extra\n"
        'w-1,"Ann ""A"" Ortiz",Welder,OSHA-10; Forklift ;,yes,7,x\n'
        "w-2,Ü,Packer,,no,many,y\n"
    )
    assert rows(SHOWN) == [
        ("w-1", 'Ann "A" Ortiz', "Welder", None, ["OSHA-10", "Forklift"], True, 7),
        ("w-2", "Ü", "Packer", None, None, False, None),
    ]


def test_a_roster_in_parquet_keeps_its_lists(lab: Any, rows: Any) -> None:
    table = {
        "id": ["w-1"],
        "name": ["Ann"],
        "role": ["Welder"],
        "city": ["Flint"],
        "certs": [["OSHA-10"]],
        "years": [7],
    }
    pq.write_table(pa.table({**table, "available": [True]}), lab.root / "_kb" / "workers.parquet")
    assert rows(SHOWN) == [("w-1", "Ann", "Welder", "Flint", ["OSHA-10"], True, 7)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_made_roster_is_the_same_in_both_forms(lab: Any, rows: Any, suffix: str) -> None:
    write_roster(lab.root / "_kb" / f"workers.{suffix}", 7, 50)
    assert rows("SELECT count(*), count(DISTINCT id), count(role), count(available), count(years) FROM workers") == [
        (50, 50, 50, 50, 50)
    ]
    assert rows("SELECT typeof(skills), bool_and(len(skills) > 0) FROM workers GROUP BY ALL") == [("VARCHAR[]", True)]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"workers.csv": b"id,name\n", "workers.parquet": b""}, "keep the one that is meant"),
        ({"workers.parquet": b"no parquet"}, "it cannot be read"),
    ],
)
def test_a_roster_that_cannot_be_used_is_an_error_when_it_is_asked_and_hides_no_other_view(
    lab: Any, rows: Any, files: dict[str, bytes], says: str
) -> None:
    for name, data in files.items():
        (lab.root / "_kb" / name).write_bytes(data)
    assert rows("FROM sessions") == []
    with pytest.raises(UsageError, match=says):
        rows("FROM workers")
