"""`lakehouse subject`: keys, subjects, accesses, verifying and mending, as they are typed."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.lakehouse_dagster.conftest import Done, Shell


@pytest.fixture
def run(tmp_path: Path, shell: Shell) -> Shell:
    """Type `lakehouse subject …` in a folder with a lake in ./data."""
    (tmp_path / "data" / "_kb").mkdir(parents=True)
    return shell.of("subject")


def ok(done: Done) -> Any:
    assert done.code == 0, done
    return done.json


@pytest.fixture
def worker(run: Shell) -> Shell:
    """With the key k1, the subject WORKER-3 and two rows in its log."""
    ok(run("key", "new", "k1", "--json"))
    ok(run("create", "WORKER-3", "--retention", "P7Y", "--kind", "worker", "--dataset", "workers", "--json"))
    for user in ("ann", "ben"):
        ok(
            run(
                "append",
                "WORKER-3",
                "--user",
                user,
                "--purpose",
                "fill",
                "--field",
                "name",
                "--field",
                "phone",
                "--json",
            )
        )
    return run


LOG = Path("data/subjects/WORKER-3/audit.jsonl")
ANCHOR = Path("data-anchors/WORKER-3/anchor.json")


def test_an_access_is_recorded_and_verified(worker: Shell) -> None:
    rows = [json.loads(line) for line in LOG.read_text().splitlines()]
    assert [row["accessor"]["user"] for row in rows] == ["ann", "ben"]
    assert rows[0]["fields_accessed"] == ["name", "phone"]
    assert rows[0]["accessor"]["trace_id"] == ""
    found = ok(worker("verify", "--json"))
    assert found["verified"] is True
    (one,) = found["subjects"]
    assert (one["subject_id"], one["count"], one["tip"], one["error"]) == ("WORKER-3", 2, rows[1]["hmac"], None)


def test_the_documented_commands_work_as_written(run: Shell) -> None:
    import shlex

    page = (Path(__file__).parents[2] / "docs" / "subjects.md").read_text(encoding="utf-8")
    typed = [line.partition("#")[0] for line in page.splitlines() if line.startswith("lakehouse subject ")]
    assert len(typed) == 6
    for line in typed:
        done = run(*shlex.split(line)[2:])
        assert done.code == 0, (line, done)
    before = len(LOG.read_text().splitlines())
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(program, "docs/subjects.md", "exec"), {})
    assert len(LOG.read_text().splitlines()) == before + 1
    assert run("verify").code == 0


def test_a_key_is_for_its_owner_alone_and_never_overwritten(run: Shell) -> None:
    ok(run("key", "new", "k1", "--json"))
    path = Path("keys/k1.key")
    before = path.read_bytes()
    assert (stat.S_IMODE(path.stat().st_mode), len(before)) == (0o600, 32)
    done = run("key", "new", "k1")
    assert (done.code, path.read_bytes()) == (2, before)


def test_a_key_that_others_may_read_is_a_warning(worker: Shell) -> None:
    Path("keys/k1.key").chmod(0o644)
    found = ok(worker("verify", "WORKER-3", "--json"))
    assert [Path(path).name for path in found["keys_readable_by_others"]] == ["k1.key"]
    assert "chmod 600" in worker("verify").out


def test_a_broken_chain_ends_with_1_and_names_line_and_kind(worker: Shell) -> None:
    LOG.write_bytes(LOG.read_bytes().replace(b'"ben"', b'"bob"'))
    done = worker("verify", "WORKER-3", "--json")
    assert done.code == 1
    error = done.json["subjects"][0]["error"]
    assert (error["line"], error["kind"]) == (2, "edited")
    shown = worker("verify")
    assert (shown.code, "edited" in shown.out) == (1, True)


def test_a_short_or_missing_key_ends_with_2(worker: Shell) -> None:
    Path("keys/k1.key").write_bytes(b"short")
    assert worker("verify").code == 2
    done = worker("append", "WORKER-3", "--purpose", "fill")
    assert (done.code, "has 5 bytes" in done.err) == (2, True)
    Path("keys/k1.key").unlink()
    assert worker("verify", "WORKER-3").code == 2
    assert worker("append", "WORKER-3", "--purpose", "fill").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "../x", "--retention", "P7Y"),
        ("create", "a/b", "--retention", "P7Y"),
        ("create", "WORKER-3", "--retention", "P7Y"),
        ("create", "WORKER-4", "--retention", "P7Y", "--key", "k9"),
        ("create", "WORKER-4", "--retention", "P7Y", "--key", "../k1"),
        ("create", "WORKER-4", "--retention", "P7Y", "--keys", "data/keys"),
        ("create", "WORKER-4", "--retention", "P7Y", "--anchors", "data/subjects"),
        ("append", "WORKER-4", "--purpose", "fill"),
        ("append", "WORKER-3", "--purpose", " "),
        ("append", "WORKER-3", "--purpose", "two\nlines"),
        ("append", "WORKER-3"),
        ("verify", "WORKER-4"),
        ("verify", ".."),
        ("rotate", "WORKER-3", "--key", "k9"),
        ("rotate", "WORKER-3", "--key", "k1"),
        ("anchor", "WORKER-4"),
        ("mend", "WORKER-4"),
        ("key", "new", "../k"),
        ("list", "--lake", "nowhere"),
    ],
)
def test_wrong_usage_ends_with_2_and_changes_nothing(worker: Shell, arguments: tuple[str, ...]) -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file() and path.suffix != ".lock"}
    done = worker(*arguments)
    assert done.code == 2, done
    assert {
        path: path.read_bytes() for path in Path().rglob("*") if path.is_file() and path.suffix != ".lock"
    } == before


def test_what_a_writer_that_died_leaves_is_mended(worker: Shell) -> None:
    anchor = ANCHOR.read_bytes()
    ok(worker("append", "WORKER-3", "--purpose", "fill", "--json"))
    ANCHOR.write_bytes(anchor)
    found = ok(worker("verify", "WORKER-3", "--json"))
    assert [one["kind"] for one in found["subjects"][0]["warnings"]] == ["unanchored_tail"]
    assert ok(worker("anchor", "WORKER-3", "--json"))["count"] == 3
    with LOG.open("ab") as log:
        log.write(b'{"schema":"subject_aud')
    assert worker("append", "WORKER-3", "--purpose", "fill").code == 1
    assert worker("verify").code == 1
    done = ok(worker("mend", "WORKER-3", "--json"))
    assert Path(done["moved_to"]).read_bytes() == b'{"schema":"subject_aud'
    assert ok(worker("append", "WORKER-3", "--purpose", "fill", "--json"))["row"] == 4
    assert ok(worker("mend", "WORKER-3", "--json"))["done"] == "nothing"
    assert ok(worker("verify", "--json"))["subjects"][0]["warnings"] == []


def test_a_missing_anchor_is_renewed_only_on_request(worker: Shell) -> None:
    ANCHOR.unlink()
    assert worker("verify").code == 1
    assert worker("anchor", "WORKER-3").code == 1
    assert ok(worker("anchor", "WORKER-3", "--renew", "--json"))["count"] == 2
    assert worker("verify").code == 0


def test_a_key_is_rotated(worker: Shell) -> None:
    ok(worker("key", "new", "k2", "--json"))
    assert ok(worker("rotate", "WORKER-3", "--key", "k2", "--json"))["row"] == 3
    ok(worker("append", "WORKER-3", "--purpose", "fill", "--json"))
    assert json.loads(LOG.read_text().splitlines()[-1])["key_id"] == "k2"
    assert ok(worker("list", "--json"))["subjects"][0]["key_id"] == "k2"
    assert worker("verify").code == 0


def test_without_a_subject_it_says_what_to_do(run: Shell) -> None:
    assert "lakehouse subject create" in run("verify").out
    assert "lakehouse subject create" in run("list").out
    assert run("create", "WORKER-1", "--retention", "P7Y").code == 2


def test_a_folder_that_cannot_be_written_ends_with_3(worker: Shell) -> None:
    Path("blocked").write_bytes(b"")
    done = worker("key", "new", "k3", "--keys", "blocked")
    assert done.code == 3


def test_a_key_that_cannot_be_read_ends_with_3(worker: Shell) -> None:
    Path("keys/k1.key").unlink()
    Path("keys/k1.key").mkdir()
    assert worker("verify").code == 3


@pytest.mark.parametrize("command", ["create", "append", "verify", "rotate", "anchor", "mend", "list", "key new"])
def test_help_has_an_example(run: Shell, command: str) -> None:
    done = run(*command.split(), "--help")
    assert (done.code, f"Example: lakehouse subject {command}" in done.out) == (0, True)
