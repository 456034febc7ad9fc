"""Reading rosters: one schema whatever the file, bad rows refused by name and place, neighbours unharmed."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import UsageError
from lakehouse.jsonl import encode
from lakehouse.roster.files import LONGEST_LINE
from lakehouse.roster.generate import write_roster
from lakehouse.roster.reading import find_roster, read_roster, roster_fingerprint
from lakehouse.roster.schema import SCHEMA

HEAD = "id,name,role,city,state,certs,skills,resume_text,available,shift,years\n"
GOOD = "{id},Ann Lee,Welder,Flint,MI,AWS D1.1;OSHA-10,MIG;TIG,I weld.,true,first,4\n"


def good(worker):
    return GOOD.replace("{id}", worker)


def read(path, prefix="w-"):
    refused = []
    rows = [row for batch in read_roster(path, prefix, refused.append) for row in batch.to_pylist()]
    return rows, refused


def csv_of(tmp_path, *lines, head=HEAD):
    path = tmp_path / "workers.csv"
    path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() for line in (head, *lines)))
    return path


def parquet_of(tmp_path, **columns):
    path = tmp_path / "workers.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def places(refused):
    return [(row.line_offset, row.field, row.reason_code) for row in refused]


LONG = "x" * 131_073


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        (",Bo,Welder,,,,,,,,\n", "id", "missing_id"),
        ("w-9,,Welder,,,,,,,,\n", "name", "missing_name"),
        ("w-9,Bo,  ,,,,,,,,\n", "role", "missing_role"),
        ("e-9,Bo,Welder,,,,,,,,\n", "id", "wrong_prefix"),
        ("9,Bo,Welder,,,,,,,,\n", "id", "wrong_prefix"),
        ("w-,Bo,Welder,,,,,,,,\n", "id", "bad_id"),
        ("w-9' OR '1'='1,Bo,Welder,,,,,,,,\n", "id", "bad_id"),
        ("w-../../etc,Bo,Welder,,,,,,,,\n", "id", "bad_id"),
        ('"w-9\n",Bo,Welder,,,"[1]",,,,,\n', "certs", "wrong_type"),
        ("w-1,Bo,Welder,,,,,,,,\n", "id", "duplicate_id"),
        ('w-9,Bo,Welder,,,"[""a"", 2]",,,,,\n', "certs", "wrong_type"),
        ('w-9,Bo,Welder,,,"[""a""",,,,,\n', "certs", "wrong_type"),
        ('w-9,Bo,Welder,,,,"[""\\ud800""]",,,,\n', "skills", "wrong_type"),
        ("w-9,Bo,Welder,,,,,,maybe,,\n", "available", "wrong_type"),
        ("w-9,Bo,Welder,,,,,,,,four\n", "years", "wrong_type"),
        ("w-9,Bo,Welder,,,,,,,,-1\n", "years", "wrong_type"),
        ("w-9,Bo,Welder,,,,,,,,٤\n", "years", "wrong_type"),
        (b"w-9,Jos\xe9,Welder,,,,,,,,\n", "name", "not_utf8"),
        (b'w-9,Bo,Welder,,,,,"two\nl\xffnes",,,\n', "resume_text", "not_utf8"),
        ("w-9,Bo,Welder\n", None, "wrong_width"),
        ("w-9,Bo,Welder,,,,,,,,,,\n", None, "wrong_width"),
        ('w-9,"Bo"x,Welder,,,,,,,,\n', None, "bad_csv"),
        (f"w-9,Bo,Welder,,,,,{LONG},,,\n", None, "too_long"),
        ("y" * (LONGEST_LINE + 10) + "\n", None, "too_long"),
    ],
)
def test_a_bad_csv_row_is_refused_by_line_and_field_and_its_neighbours_stay(tmp_path, line, field, code):
    rows, refused = read(csv_of(tmp_path, good("w-1"), line, good("w-2")))
    assert [row["id"] for row in rows] == ["w-1", "w-2"]
    assert places(refused) == [(2, field, code)]
    found = refused[0]
    assert (found.stage, found.stream, found.source_file) == ("index", "workers", "workers.csv")
    assert found.reason.startswith("line 3: ")
    assert "To mend it: " in found.reason
    assert found.raw or found.raw_b64


def test_the_reason_names_every_fault_of_a_row_and_none_of_its_content(tmp_path):
    _, refused = read(csv_of(tmp_path, "w-9,,Welder,,,,,,maybe,,four\n"))
    assert refused[0].field == "name"
    assert all(field in refused[0].reason for field in ("name is missing", "available is", "years is"))
    assert "maybe" not in refused[0].reason
    assert refused[0].raw == "w-9,,Welder,,,,,,maybe,,four"


@pytest.mark.parametrize("behind", [0, 1, 40])
def test_a_quote_that_nobody_closes_costs_its_own_line_alone(tmp_path, behind):
    rows, refused = read(
        csv_of(tmp_path, good("w-1"), 'w-9,"Bo,Welder\n', *(good(f"w-{n + 2}") for n in range(behind)))
    )
    assert [row["id"] for row in rows] == [f"w-{number}" for number in range(1, behind + 2)]
    assert [row.line_offset for row in refused] == [2]


def test_a_quote_closed_in_a_later_row_costs_no_other_row(tmp_path):
    rows, refused = read(csv_of(tmp_path, 'w-9,"Bo,Welder\n', good("w-1"), 'w-2,"Ann",Welder,,,,,,,,\n', good("w-3")))
    assert [row["id"] for row in rows] == ["w-1", "w-2", "w-3"]
    assert [row.line_offset for row in refused] == [1]


def test_csv_reads_quoted_line_ends_windows_lines_a_bom_and_other_names_of_columns(tmp_path):
    head = "\ufeffROLE,Worker_ID,name,Resume Text,extra\r\n"
    rows, refused = read(
        csv_of(tmp_path, 'Welder,w-1,Ann,"one\r\ntwo, ""three""",x\r\n', "\r\n", "Packer,w-2,Zoë,,\r\n", head=head)
    )
    assert refused == []
    assert [row["id"] for row in rows] == ["w-1", "w-2"]
    assert rows[0]["resume_text"] == 'one\r\ntwo, "three"'
    assert rows[1] == {
        "id": "w-2",
        "name": "Zoë",
        "role": "Packer",
        "city": "",
        "state": "",
        "certs": [],
        "skills": [],
        "resume_text": "",
        "available": None,
        "shift": "",
        "years": None,
        "email": "",
        "phone": "",
        "blacklisted": None,
    }


@pytest.mark.parametrize(
    ("cell", "certs"),
    [
        ("", []),
        ("OSHA-10", ["OSHA-10"]),
        (" OSHA-10 ; ;CDL Class A;", ["OSHA-10", "CDL Class A"]),
        ('"[""OSHA-10"", ""a;b""]"', ["OSHA-10", "a;b"]),
        ("[]", []),
    ],
)
def test_lists_in_csv_are_parted_by_semicolons_or_json(tmp_path, cell, certs):
    rows, refused = read(csv_of(tmp_path, f"w-1,Ann,Welder,,,{cell},,,,,\n"))
    assert refused == []
    assert rows[0]["certs"] == certs


@pytest.mark.parametrize(
    ("columns", "field", "code"),
    [
        ({"id": [7, 8, 9]}, "id", "wrong_type"),
        ({"name": ["Ann", None, "Cy"]}, "name", "missing_name"),
        ({"role": [["a"], ["b"], ["c"]]}, "role", "wrong_type"),
        ({"certs": [["a"], [None], []]}, "certs", "wrong_type"),
        ({"certs": [[1], [2], [3]]}, "certs", "wrong_type"),
        ({"years": [1.0, 2.5, None]}, "years", "wrong_type"),
        ({"years": [1, -2, 2**40]}, "years", "wrong_type"),
        ({"available": [True, None, True], "shift": [1, None, 2]}, "shift", "wrong_type"),
        ({"resume_text": ["a", LONG, ""]}, "resume_text", "too_long"),
        ({"skills": [["a"], [LONG], []]}, "skills", "too_long"),
        ({"id": ["w-1", "w-1", "w-1"]}, "id", "duplicate_id"),
    ],
)
def test_a_bad_parquet_row_is_refused_by_row_and_field(tmp_path, columns, field, code):
    base = {"id": ["w-1", "w-2", "w-3"], "name": ["Ann", "Bo", "Cy"], "role": ["Welder"] * 3}
    rows, refused = read(parquet_of(tmp_path, **base | columns))
    assert refused
    assert {(row.field, row.reason_code) for row in refused} == {(field, code)}
    assert len(rows) + len(refused) == 3
    for row in refused:
        assert row.reason.startswith(f"row {row.line_offset + 1}: ")
        assert len(row.raw) > 65_000 or isinstance(json.loads(row.raw), dict)
        encode(row)


def test_a_parquet_text_that_is_not_utf8_is_refused_alone(tmp_path):
    names = pa.array([b"Ann", b"Jos\xe9", b"Cy"], pa.binary()).view(pa.string())
    skills = pa.ListArray.from_arrays([0, 1, 2, 3], pa.array([b"a", b"b", b"\xff"], pa.binary()).view(pa.string()))
    rows, refused = read(parquet_of(tmp_path, id=["w-1", "w-2", "w-3"], name=names, role=["Welder"] * 3, skills=skills))
    assert [row["id"] for row in rows] == ["w-1"]
    assert places(refused) == [(1, "name", "not_utf8"), (2, "skills", "not_utf8")]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_every_kind_of_arrow_text_gives_the_one_schema(tmp_path, kind):
    role = pa.array(["Welder", "Packer"]).cast(kind)
    path = parquet_of(
        tmp_path, id=["w-1", "w-2"], name=["Ann", "Bo"], role=role, certs=["a;b", '["c"]'], years=[1.0, None]
    )
    batches = list(read_roster(path, "w-", pytest.fail))
    assert all(batch.schema.equals(SCHEMA) for batch in batches)
    assert [(row["role"], row["certs"], row["years"]) for row in batches[0].to_pylist()] == [
        ("Welder", ["a", "b"], 1),
        ("Packer", ["c"], None),
    ]


def test_of_rows_with_one_id_the_first_that_can_be_used_stays(tmp_path):
    rows, refused = read(csv_of(tmp_path, "w-1,,Welder,,,,,,,,\n", good("w-1"), good("w-1")))
    assert len(rows) == 1
    assert places(refused) == [(1, "name", "missing_name"), (3, "id", "duplicate_id")]


def test_a_duplicate_is_seen_across_batches(tmp_path):
    path = csv_of(tmp_path, *(good(f"w-{number}") for number in range(10)), good("w-0"))
    refused = []
    sizes = [batch.num_rows for batch in read_roster(path, "w-", refused.append, batch_rows=3)]
    assert sizes == [3, 3, 3, 1]
    assert places(refused) == [(11, "id", "duplicate_id")]


def test_the_entry_goes_under_the_names_that_the_caller_gives(tmp_path):
    refused = []
    path = csv_of(tmp_path, "e-1,Bo,Welder,,,,,,,,\n")
    assert list(read_roster(path, "w-", refused.append, roster="staff", source_file="_kb/staff.csv")) == []
    assert (refused[0].stream, refused[0].source_file) == ("staff", "_kb/staff.csv")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"id,name\nw-1,Ann\n", "no column role"),
        ("a.csv", b"id;name;role\nw-1;Ann;Welder\n", "no column id"),
        ("a.csv", b"id,ID,name,role\n", "2 columns for id"),
        ("a.csv", b"id,n\xffme,role\n", "not UTF-8"),
        ("a.csv", b'id,"name\n', "no CSV"),
        ("a.csv", b"", "no column id"),
        ("a.parquet", b"PAR1 but not really", "cannot be read"),
        ("a.parquet", b"", "cannot be read"),
        ("a.xlsx", b"", "neither .parquet nor .csv"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_says_so(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=said) as raised:
        read(tmp_path / name)
    assert raised.value.mend
    assert name in raised.value.where


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"workers\.csv: it cannot be read \(No such file"):
        read(tmp_path / "workers.csv")


def test_a_parquet_file_that_breaks_halfway_is_an_error_and_no_short_roster(tmp_path):
    path = tmp_path / "workers.parquet"
    write_roster(path, 7, 9_000)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 20_000] = b"\0" * 20_000
    path.write_bytes(data)
    with pytest.raises(UsageError, match="damaged"):
        read(path)


def test_an_empty_prefix_is_refused(tmp_path):
    with pytest.raises(UsageError, match="prefix"):
        read(csv_of(tmp_path, good("w-1")), prefix="")


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_whatever_the_lines_hold_good_rows_are_found_and_nothing_raises(tmp_path_factory, lines):
    lines = [line.replace(b"w-", b"") + b"\n" for line in lines]
    path = csv_of(tmp_path_factory.mktemp("any"), good("w-1"), *lines, good("w-2"))
    rows, refused = read(path)
    assert {"w-1", "w-2"} >= {row["id"] for row in rows} >= {"w-1"}
    for row in refused:
        encode(row)


def test_a_fingerprint_follows_the_content_and_does_not_read_what_did_not_change(tmp_path):
    path = csv_of(tmp_path, good("w-1"))
    first = roster_fingerprint(path)
    assert roster_fingerprint(path, first) is first
    os.utime(path, ns=(1, 1))
    touched = roster_fingerprint(path, first)
    assert (touched.mtime_ns, touched.sha256) == (1, first.sha256)
    csv_of(tmp_path, good("w-2"))
    os.utime(path, ns=(2, 2))
    assert roster_fingerprint(path, touched).sha256 != first.sha256
    path.unlink()
    assert roster_fingerprint(path, first) is None


def test_a_roster_is_found_by_name_and_two_of_one_name_are_an_error(tmp_path):
    assert find_roster(tmp_path, "workers") is None
    path = csv_of(tmp_path, good("w-1"))
    assert find_roster(tmp_path, "workers") == path
    write_roster(tmp_path / "workers.parquet", 7, 1)
    with pytest.raises(UsageError, match=r"workers\.parquet and workers\.csv"):
        find_roster(tmp_path, "workers")
