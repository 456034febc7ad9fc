"""`lakehouse validate`: what it says of a payload, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lakehouse.validators.conftest import fill
from tests.lakehouse_dagster.conftest import Done, Shell


class Desk:
    """A lake with two welders, and who types the command there."""

    def __init__(self, root: Path, shell: Shell) -> None:
        self.root, self._shell = root, shell
        raw = root / "data" / "_kb"
        raw.mkdir(parents=True)
        rows = "w-1,Ann Lee,Welder,Flint,MI,ann@staff.example\nw-2,Bo Ray,Welder,Flint,MI,bo@staff.example\n"
        (raw / "workers.csv").write_text("id,name,role,city,state,email\n" + rows)

    def run(self, *arguments: str, stdin: bytes | None = None) -> Done:
        return self._shell("validate", *arguments, "--lake", str(self.root / "data"), stdin=stdin)

    def file(self, *payloads: Any) -> str:
        path = self.root / "payload.json"
        path.write_bytes(b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in payloads))
        return str(path)


@pytest.fixture
def desk(tmp_path: Path, shell: Shell) -> Desk:
    return Desk(tmp_path, shell)


def test_a_valid_payload_ends_with_0(desk: Desk) -> None:
    code, out, _ = desk.run("fill", desk.file(fill("w-1", "w-2")))
    assert (code, "Nothing is wrong with it." in out) == (0, True)


def test_an_invalid_one_ends_with_1_and_each_error_is_a_row(desk: Desk) -> None:
    code, out, _ = desk.run("fill", desk.file(fill("w-1", "w-99", "w-1")))
    assert code == 1
    assert "fills[1] (w-99): the roster has no such worker" in out
    assert "fills[2] (w-1): is in fills[0] already" in out


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input_is_read(desk: Desk, arguments: list[str]) -> None:
    code, out, _ = desk.run("sms", *arguments, "--json", stdin=b'{"body": "SSN 123-45-6789"}')
    assert code == 1
    assert json.loads(out) == {
        "ok": False,
        "roster": {"workers": 2, "refused": 0},
        "errors": [{"Policy": {"reason": "the body holds a social security number"}}],
    }


def test_excluded_workers_may_not_be_sent(desk: Desk) -> None:
    code, out, _ = desk.run("fill", desk.file(fill("w-1", "w-2")), "--exclude", "w-2")
    assert code == 1
    assert "fills[1] (w-2): is excluded" in out


@pytest.mark.parametrize("stranger", ["w-02", "W-2", "w-2 ", ""])
def test_whoever_excludes_somebody_who_is_not_there_is_told_and_nothing_is_looked_at(desk: Desk, stranger: str) -> None:
    payload = desk.file(fill("w-1", "w-2"))
    code, out, told = desk.run("fill", payload, "--exclude", "w-1", "--exclude", stranger)
    assert (code, out) == (2, "")
    assert f"--exclude: the roster has no {stranger}".strip() in told


TWICE = json.dumps(fill("w-1")).replace('"worker_id"', '"worker_id": "w-99", "worker_id"').encode()


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        (TWICE, "fills[0].worker_id"),
        (TWICE.replace(b'"worker_id": "w-99"', b'"worker\\u005fid": "w-99"'), "fills[0].worker_id"),
        (b'{"count": 1, "fills": [], "count": 1}', "count"),
        (b'{"fills": [{"x": {"a": 1, "a": 1}}], "fills": []}', "fills"),
        (b'{"fills": [[{}, {"x": {"\\u0022": 1, "\\u0022": 1}}]]}', 'fills[0][1].x."'),
    ],
)
def test_a_key_that_stands_twice_is_named_for_another_reader_may_take_the_other(
    desk: Desk, payload: bytes, key: str
) -> None:
    path = desk.file(payload)
    code, out, told = desk.run("fill", path)
    assert (code, out) == (2, "")
    assert f"{path}: the key {key} stands twice" in told
    code, out, _ = desk.run("fill", desk.file(fill("w-1"), payload), "--lines")
    assert (code, f"{path}:2 the key {key} stands twice" in out, "1 of 2 payloads are valid." in out) == (2, True, True)


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("lines", [[], ["--lines"], ["--lines", "--json"]])
def test_without_a_payload_nothing_is_valid(desk: Desk, data: bytes, lines: list[str]) -> None:
    path = desk.file(data)
    done = desk.run("fill", path, *lines)
    assert done.code == 2
    assert f"{path}: there is no payload" in done.err or done.json["error"]["what"] == "there is no payload"


def test_a_mark_of_byte_order_is_no_part_of_the_payload(desk: Desk) -> None:
    payload = b"\xef\xbb\xbf" + json.dumps(fill("w-1")).encode()
    assert desk.run("fill", desk.file(payload)).code == 0
    assert desk.run("fill", desk.file(payload, fill("w-2")), "--lines").code == 0
    assert desk.run("fill", stdin=payload).code == 0


def test_a_payload_that_is_nested_too_deeply_is_not_looked_at(desk: Desk) -> None:
    code, _, told = desk.run("fill", desk.file(b"[" * 300 + b"]" * 300))
    assert (code, "nested deeper than 200 levels" in told) == (2, True)


def test_lines_are_looked_at_one_by_one(desk: Desk) -> None:
    path = desk.file(fill("w-1"), b"", fill("w-99"), fill("w-2"))
    code, out, _ = desk.run("fill", path, "--lines")
    assert (code, "2 of 3 payloads are valid." in out) == (1, True)
    code, out, _ = desk.run("fill", path, "--lines", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["payloads"], found["unreadable"]) == (1, False, 3, [])
    assert [(one["line"], len(one["errors"])) for one in found["invalid"]] == [(3, 1)]


def test_a_line_that_is_no_json_is_named_and_its_neighbours_go_on(desk: Desk) -> None:
    path = desk.file(fill("w-99"), b'{"count": 1', fill("w-1"), b"\xff")
    code, out, _ = desk.run("fill", path, "--lines")
    assert code == 2
    assert f"{path}:2 this is no JSON" in out
    assert "w-99" in out
    assert "1 of 4 payloads are valid." in out
    code, out, _ = desk.run("fill", path, "--lines", "--json")
    assert (code, [one["line"] for one in json.loads(out)["unreadable"]]) == (2, [2, 4])


def test_a_file_that_is_no_json_is_named_with_its_line(desk: Desk) -> None:
    path = desk.file(b'{\n "count": NaN\n}')
    code, out, told = desk.run("fill", path)
    assert (code, out) == (2, "")
    assert f"{path}:2: this is no JSON" in told
    assert "--lines" in told
    done = desk.run("fill", path, "--json")
    assert (done.code, done.json.keys(), done.json["error"]["where"]) == (2, {"error"}, f"{path}:2")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["letter"], "name one of email, fill, sms"),
        (["fill", "nowhere.json"], "nowhere.json: it cannot be read (No such file or directory)"),
        (["fill", "."], ".: it cannot be read (Is a directory)"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_to_do(desk: Desk, arguments: list[str], says: str) -> None:
    code, _, told = desk.run(*arguments)
    assert (code, says in told) == (2, True), told


def test_rows_of_the_roster_that_cannot_be_used_are_told(desk: Desk) -> None:
    with (desk.root / "data/_kb/workers.csv").open("a") as file:
        file.write("x-3,Cy,Welder,Flint,MI,\n")
    code, out, _ = desk.run("fill", desk.file(fill("x-3")))
    assert code == 1
    assert "rows of the roster that cannot be used: 1" in out
    assert "does not begin with w-" in out


def test_a_lake_without_a_roster_says_so(desk: Desk) -> None:
    (desk.root / "data/_kb/workers.csv").unlink()
    code, out, _ = desk.run("fill", desk.file(fill("w-1")))
    assert (code, "for there is no roster" in out) == (1, True)


def test_a_lake_that_is_not_there_ends_with_2(desk: Desk) -> None:
    path = desk.file(fill("w-1"))
    (desk.root / "data").rename(desk.root / "elsewhere")
    code, _, told = desk.run("fill", path)
    assert (code, "there is no lake here" in told) == (2, True)


def test_the_help_has_an_example(shell: Shell) -> None:
    done = shell("validate", "--help")
    assert (done.code, "Example: lakehouse validate fill" in done.out) == (0, True)
