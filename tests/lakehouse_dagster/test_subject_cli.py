"""`lakehouse subject`: keys, subjects, accesses, verifying and mending, as they are typed."""

import json
import re
import shutil
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
    assert len(typed) == 7
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
    path = Path("data-keys/k1.key")
    before = path.read_bytes()
    assert (stat.S_IMODE(path.stat().st_mode), len(before)) == (0o600, 32)
    done = run("key", "new", "k1")
    assert (done.code, path.read_bytes()) == (2, before)


def test_a_key_that_others_may_read_is_a_warning(worker: Shell) -> None:
    Path("data-keys/k1.key").chmod(0o644)
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
    Path("data-keys/k1.key").write_bytes(b"short")
    assert worker("verify").code == 2
    done = worker("append", "WORKER-3", "--purpose", "fill", "--no-fields")
    assert (done.code, "has 5 bytes" in done.err) == (2, True)
    Path("data-keys/k1.key").unlink()
    assert worker("verify", "WORKER-3").code == 2
    assert worker("append", "WORKER-3", "--purpose", "fill", "--no-fields").code == 2


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
        ("append", "WORKER-4", "--purpose", "fill", "--no-fields"),
        ("append", "WORKER-3", "--purpose", " ", "--no-fields"),
        ("append", "WORKER-3", "--purpose", "two\nlines", "--no-fields"),
        ("append", "WORKER-3", "--purpose", "fill"),
        ("append", "WORKER-3", "--purpose", "fill", "--field", "name", "--no-fields"),
        ("append", "WORKER-3", "--purpose", "fill", "--field", "name", "--user", ""),
        ("create", "all", "--retention", "P7Y"),
        ("create", "WORKER-4", "--retention", "P7X"),
        ("create", "WORKER-4", "--retention", ""),
        ("create", "WORKER-4", "--retention", "P7Y", "--kind", ""),
        ("create", "WORKER-4", "--retention", "P7Y", "--key", ""),
        ("rotate", "WORKER-3", "--key", "k1", "--user", ""),
        ("anchor", "WORKER-3", "--renew"),
        ("anchor", "WORKER-3", "--reason", "it is whole"),
        ("anchor", "WORKER-3", "--renew", "--reason", ""),
        ("anchor", "WORKER-3", "--renew", "--reason", "it is whole", "--by", ""),
        ("forget", "WORKER-3", "--reason", "no look saw it"),
        ("forget", "../x", "--reason", "over"),
        ("key", "new", "k2", "--keys", "data/keys"),
        ("key", "new", "k2", "--keys", "data/keys", "--lake", "elsewhere"),
        ("key", "new", "k2", "--keys", "elsewhere/keys", "--lake", "elsewhere"),
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
    ok(worker("append", "WORKER-3", "--purpose", "fill", "--no-fields", "--json"))
    ANCHOR.write_bytes(anchor)
    found = ok(worker("verify", "WORKER-3", "--json"))
    assert [one["kind"] for one in found["subjects"][0]["warnings"]] == ["unanchored_tail"]
    assert ok(worker("anchor", "WORKER-3", "--json"))["count"] == 3
    with LOG.open("ab") as log:
        log.write(b'{"schema":"subject_aud')
    assert worker("append", "WORKER-3", "--purpose", "fill", "--no-fields").code == 1
    assert worker("verify").code == 1
    done = ok(worker("mend", "WORKER-3", "--json"))
    assert Path(done["moved_to"]).read_bytes() == b'{"schema":"subject_aud'
    assert ok(worker("append", "WORKER-3", "--purpose", "fill", "--no-fields", "--json"))["row"] == 4
    assert ok(worker("mend", "WORKER-3", "--json"))["done"] == "nothing"
    assert ok(worker("verify", "--json"))["subjects"][0]["warnings"] == []


def test_a_missing_anchor_is_renewed_only_on_request(worker: Shell) -> None:
    ANCHOR.unlink()
    assert worker("verify").code == 1
    assert worker("anchor", "WORKER-3").code == 1
    why = ("--by", "eve", "--reason", "compared with the copy")
    assert ok(worker("anchor", "WORKER-3", "--renew", *why, "--json"))["count"] == 3
    row = json.loads(LOG.read_text().splitlines()[-1])
    assert (row["result"], row["accessor"]["user"], row["accessor"]["purpose"]) == (
        "anchor_renewed",
        "eve",
        "compared with the copy",
    )
    assert worker("verify").code == 0


def test_a_key_is_rotated(worker: Shell) -> None:
    ok(worker("key", "new", "k2", "--json"))
    assert ok(worker("rotate", "WORKER-3", "--key", "k2", "--json"))["row"] == 3
    ok(worker("append", "WORKER-3", "--purpose", "fill", "--no-fields", "--json"))
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


def test_one_odd_file_ends_with_3_and_hides_nothing(worker: Shell) -> None:
    ok(worker("create", "WORKER-4", "--retention", "P7Y", "--json"))
    manifest = Path("data/subjects/WORKER-4/manifest.json")
    manifest.unlink()
    manifest.mkdir()
    done = worker("verify", "--json")
    assert (done.code, [one["verified"] for one in done.json["subjects"]]) == (3, [True, False])
    LOG.write_bytes(LOG.read_bytes().replace(b'"ben"', b'"bob"'))
    done = worker("verify", "--json")
    assert (done.code, [one["error"]["kind"] for one in done.json["subjects"]]) == (1, ["edited", "cannot_read"])
    assert "Traceback" not in done.err
    assert worker("list").code == 0


def test_a_subject_that_is_gone_is_missed_until_somebody_answers_for_it(worker: Shell) -> None:
    assert ok(worker("verify", "--json"))["remembered"] is True
    shutil.rmtree(LOG.parent)
    shutil.rmtree(ANCHOR.parent)
    for arguments in (("verify",), ("verify", "WORKER-3")):
        done = worker(*arguments, "--json")
        assert (done.code, done.json["subjects"][0]["error"]["kind"]) == (1, "subject_missing")
    line = ok(worker("forget", "WORKER-3", "--by", "ann", "--reason", "P7Y are over", "--json"))["forgotten"]
    assert json.loads(Path("data/subjects/forgotten.jsonl").read_text()) == line
    assert (line["by"], line["reason"], line["rows"]) == ("ann", "P7Y are over", 2)
    assert ok(worker("verify", "--json"))["subjects"] == []


def test_a_key_that_logs_name_is_not_made_anew(worker: Shell) -> None:
    Path("data-keys/k1.key").unlink()
    done = worker("key", "new", "k1")
    assert (done.code, "restore that key" in done.err) == (2, True)
    assert not Path("data-keys/k1.key").exists()
    for arguments in (("create", "W", "--retention", "P7Y"), ("append", "WORKER-3", "--purpose", "x", "--no-fields")):
        done = worker(*arguments)
        assert (done.code, "key new" in done.err, str(Path("data-keys").absolute()) in done.err) == (2, False, True)
    Path("data-keys").rmdir()
    assert str(Path("data-keys").absolute()) in worker("verify", "--json").json["subjects"][0]["error"]["why"]


def test_the_hint_for_a_subject_that_is_not_there_works_as_written(worker: Shell) -> None:
    import shlex

    done = worker("append", "WORKER-4", "--purpose", "fill", "--no-fields")
    (hint,) = re.findall(r"`lakehouse subject (create [^`]*)`", done.err)
    ok(worker(*shlex.split(hint), "--json"))


def test_a_key_that_cannot_be_read_ends_with_3(worker: Shell) -> None:
    Path("data-keys/k1.key").unlink()
    Path("data-keys/k1.key").mkdir()
    assert worker("verify").code == 3


@pytest.mark.parametrize(
    "command", ["create", "append", "verify", "rotate", "anchor", "mend", "list", "forget", "key new"]
)
def test_help_has_an_example(run: Shell, command: str) -> None:
    done = run(*command.split(), "--help")
    assert (done.code, f"Example: lakehouse subject {command}" in done.out) == (0, True)
