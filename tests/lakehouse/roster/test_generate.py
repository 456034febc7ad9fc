"""Made rosters: the same from the same seed, spread over roles and places, resumes as people write them."""

import re
from collections import defaultdict

import orjson
import pyarrow.parquet as pq
import pytest

from lakehouse.errors import UsageError
from lakehouse.files import sha256_of
from lakehouse.roster.generate import workers, write_roster, write_rosters
from lakehouse.roster.reading import read_roster
from lakehouse.roster.schema import PRIVATE, SCHEMA, metadata_of, text_of
from lakehouse.roster.trades import TRADES
from lakehouse.secrets import scan


@pytest.fixture(scope="module")
def rows():
    return list(workers(7, 2000))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_same_seed_and_count_give_the_same_bytes_and_another_seed_others(tmp_path, suffix):
    seeds = {"one": 7, "same": 7, "other": 8}
    found = {}
    for name, seed in seeds.items():
        write_roster(tmp_path / f"{name}{suffix}", seed, 300)
        found[name] = sha256_of(tmp_path / f"{name}{suffix}")
    assert found["one"] == found["same"] != found["other"]


def test_a_longer_roster_begins_with_the_shorter_one(rows):
    assert list(workers(7, 50)) == rows[:50]


def test_the_second_roster_holds_other_people_under_its_own_prefix():
    ours, theirs = list(workers(7, 50, "w-")), list(workers(7, 50, "e-"))
    assert [row["id"] for row in theirs] == [f"e-{number}" for number in range(1, 51)]
    assert all(one["resume_text"] != other["resume_text"] for one, other in zip(ours, theirs, strict=True))


def test_every_city_holds_several_roles_and_every_role_several_cities(rows):
    cities, roles = defaultdict(set), defaultdict(set)
    for row in rows:
        cities[row["city"], row["state"]].add(row["role"])
        roles[row["role"]].add((row["city"], row["state"]))
    assert len(roles) == len(TRADES)
    assert min(map(len, cities.values())) >= 5
    assert min(map(len, roles.values())) >= 5


def test_certificates_and_skills_fit_the_role(rows):
    trades = {trade.role: trade for trade in TRADES}
    for row in rows:
        trade = trades[row["role"]]
        assert set(row["certs"]) <= set(trade.certs)
        assert set(row["skills"]) <= set(trade.skills)
        assert len(row["skills"]) == len(set(row["skills"])) >= 3
    assert {len(row["certs"]) for row in rows} == {0, 1, 2, 3}
    assert {row["available"] for row in rows} == {True, False}


def test_resumes_name_role_place_and_a_skill_and_hardly_repeat(rows):
    for row in rows:
        told = row["resume_text"].lower()
        assert row["role"].lower() in told, row
        assert row["city"].lower() in told, row
        assert row["state"].lower() in told, row
        assert any(skill.lower() in told for skill in row["skills"]), row
        assert "{" not in told
        assert " 1 years" not in told
    openings = {" ".join(row["resume_text"].split()[:2]) for row in rows}
    assert len(openings) > 100
    assert len({row["resume_text"] for row in rows}) == len(rows)


def test_nothing_in_a_resume_looks_like_a_secret(rows):
    assert {scan(orjson.dumps(row)) for row in rows} == {None}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_what_was_written_reads_back_as_it_was_drawn(tmp_path, suffix):
    path = tmp_path / f"workers{suffix}"
    assert write_roster(path, 7, 5000) == 5000
    refused = []
    found = [row for batch in read_roster(path, "w-", refused.append, batch_rows=900) for row in batch.to_pylist()]
    assert refused == []
    assert found == list(workers(7, 5000))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_an_empty_roster_is_a_file_without_rows(tmp_path, suffix):
    write_roster(tmp_path / f"none{suffix}", 7, 0)
    assert list(read_roster(tmp_path / f"none{suffix}", "w-", pytest.fail)) == []


@pytest.mark.parametrize(("name", "count", "prefix"), [("a.json", 1, "w-"), ("a.csv", -1, "w-"), ("a.csv", 1, "")])
def test_a_roster_of_another_kind_is_refused(tmp_path, name, count, prefix):
    with pytest.raises(UsageError):
        write_roster(tmp_path / name, 7, count, prefix)
    assert list(tmp_path.iterdir()) == []


def test_a_sample_lake_gets_two_rosters_and_the_demands_for_them(tmp_path):
    made = write_rosters(tmp_path, 7, count=400, ethereal=100)
    assert made["_kb/workers.parquet"] == 400
    assert made["_kb/ethereal_workers.parquet"] == 100
    assert made["_kb/fill_events.parquet"] >= 24
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == set(made)
    assert pq.read_schema(tmp_path / "_kb/workers.parquet").equals(SCHEMA)


def test_the_embedded_text_says_role_and_place_first_and_no_name(rows):
    row = rows[0]
    text = text_of(row)
    assert text.startswith(f"{row['role']} in {row['city']}, {row['state']}.")
    assert row["resume_text"] in text
    assert row["name"] not in text
    bare = {**row, "city": "", "state": "", "certs": [], "skills": [], "resume_text": ""}
    assert text_of(bare) == f"{row['role']}."


def test_metadata_is_what_can_be_filtered_and_leaves_out_what_is_unknown(rows):
    row = rows[0]
    assert set(metadata_of(row)) == set(SCHEMA.names) - {"id", "resume_text"} - PRIVATE
    unknown = {**row, "available": None, "years": None, "shift": "", "certs": []}
    assert set(metadata_of(row)) - set(metadata_of(unknown)) == {"available", "years", "shift", "certs"}
    assert metadata_of({**row, "available": False, "years": 0}).items() >= {"available": False, "years": 0}.items()


def test_nothing_private_is_embedded_or_shown(rows):
    for row in (*rows[:200], *(row for row in rows if row["blacklisted"])):
        told = text_of(row) + repr(metadata_of(row))
        assert row["email"] not in told
        assert row["phone"] not in told
        assert "blacklisted" not in told


def test_contacts_are_made_of_what_nobody_has_and_few_are_barred(rows):
    assert len({row["email"] for row in rows}) == len(rows)
    assert all(row["email"].endswith("@staff.example") for row in rows)
    assert all(re.fullmatch(r"[2-9][0-9]{2}-555-01[5-9][0-9]", row["phone"]) for row in rows)
    assert 10 < sum(row["blacklisted"] for row in rows) < 100


def test_two_rosters_share_no_email():
    ours, theirs = ({row["email"] for row in workers(7, 500, prefix)} for prefix in ("w-", "e-"))
    assert ours.isdisjoint(theirs)
