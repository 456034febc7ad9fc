"""`lakehouse sql`, and every command and query that docs/sql.md and docs/sessions.md show."""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from lakehouse.lake import Lake
from lakehouse.views.asking import ask
from lakehouse.views.registry import VIEWS
from tests.lakehouse_dagster.conftest import Shell

DOCS = Path(__file__).parents[2] / "docs"


def attempt(verdict: str, latency: int, error: Any = None) -> dict[str, Any]:
    told = (
        {}
        if error is None
        else {"error": error if isinstance(error, str) else json.dumps(error, separators=(",", ":"))}
    )
    return {"verdict": verdict, **told, "latency_ms": latency, "prompt_tokens": 400, "completion_tokens": 90}


def phantom(number: int) -> list[dict[str, Any]]:
    return [{"Consistency": {"reason": f"w-{number} is not in the roster"}}]


SHORT = [{"Completeness": {"reason": "2 fills are there, 3 were asked for"}}]
A, V, N, I = "accepted", "validation_failed", "no_json", "infra_error"  # noqa: E741
SESSIONS: list[tuple[str, str, str, str, list[dict[str, Any]]]] = [
    ("18abbabdc2306a83-c2306aa9", "2026-05-01", "fill", "qwen2.5", [attempt(A, 790)]),
    ("18abbb0c11f0a210-11f0a2c4", "2026-05-01", "fill", "qwen2.5", [attempt(V, 812, phantom(9001)), attempt(A, 640)]),
    ("18abbb5d9e4b3377-9e4b33a1", "2026-05-01", "email", "gemma3", [attempt(A, 410)]),
    (
        "18abbbc3a7720f1e-a7720f55",
        "2026-05-02",
        "fill",
        "gemma3",
        [
            attempt(V, 380, phantom(77)),
            attempt(N, 395, "there is no JSON object in the answer of 812 characters"),
            attempt(V, 402, phantom(78) + SHORT),
        ],
    ),
    ("18abbc01f3d10b02-f3d10b6e", "2026-05-02", "fill", "qwen2.5", [attempt(I, 60_000, "the model server timed out")]),
    ("18abbc4e20c8e9d4-20c8ea10", "2026-05-02", "fill", "qwen2.5", [attempt(A, 701)]),
]


def write_lake(root: Path) -> None:
    """Write the lake whose answers the pages show; the second session is another runtime's."""
    raw = root / "_kb"
    raw.mkdir(parents=True)
    lines = []
    for place, (name, day, kind, model, attempts) in enumerate(SESSIONS):
        last = attempts[-1]["verdict"]
        verdict = last if last in (A, I) else "max_iter_exhausted"
        row: dict[str, Any] = {
            "schema": "session.iterate.v1",
            "session_id": name,
            "timestamp": f"{day}T1{place}:00:00.000Z",
        }
        row |= {
            "daemon": "validatord" if place == 1 else "lakehouse",
            "kind": kind,
            "provider": "ollama",
            "model": model,
        }
        row |= {"prompt": "Fill C-1042", "max_iterations": 3, "iterations": len(attempts), "verdict": verdict}
        row["attempts"] = [{"iteration": number, **one} for number, one in enumerate(attempts)]
        row |= {"grounded_in_roster": True} if kind == "fill" and verdict == A else {}
        row["duration_ms"] = sum(one["latency_ms"] for one in attempts) + 20
        lines.append(json.dumps(dict(reversed(row.items())) if place == 1 else row))
    (raw / "sessions.jsonl").write_text("\n".join(lines) + "\n")
    replay: dict[str, Any] = {
        "schema": "replay_run.v1",
        "run_id": "replay-1",
        "session_id": SESSIONS[1][0],
        "task": "fill C-1042",
    }
    replay |= {"retrieved": [], "model": "gemma3", "provider": "ollama", "response": "{}"}
    replay |= {"validation": {"ok": True, "errors": []}, "escalated": False}
    replay |= {"recorded_at": "2026-05-03T02:00:00.000Z", "duration_ms": 900}
    (raw / "replay_runs.jsonl").write_text(json.dumps(replay) + "\n")


class Desk:
    """Who types the commands, in a folder with a lake in ./data."""

    def __init__(self, folder: Path, shell: Shell) -> None:
        self.root = folder / "data"
        self.run = shell


@pytest.fixture
def asker(tmp_path: Path, shell: Shell) -> Desk:
    write_lake(tmp_path / "data")
    return Desk(tmp_path, shell)


def test_a_query_is_answered_as_a_table(asker: Desk) -> None:
    done = asker.run("sql", "SELECT model, count(*) AS n, NULL AS x, [1] AS l FROM sessions GROUP BY ALL ORDER BY n")
    assert done.code == 0, done.err
    assert [line.split() for line in done.out.splitlines() if line.strip()] == [
        ["model", "n", "x", "l"],
        ["gemma3", "2", "[1]"],
        ["qwen2.5", "4", "[1]"],
    ]


def test_a_machine_gets_columns_types_and_rows(asker: Desk) -> None:
    said = asker.run(
        "sql", "SELECT model, timestamp::DATE AS day FROM sessions ORDER BY entry", "--limit", "1", "--json"
    ).json
    assert said == {
        "columns": ["model", "day"],
        "types": ["VARCHAR", "DATE"],
        "rows": [["qwen2.5", "2026-05-01"]],
        "more": True,
    }


def test_more_rows_than_the_limit_are_spoken_of(asker: Desk) -> None:
    assert "more than 2 rows" in asker.run("sql", "FROM sessions", "--limit", "2").out
    assert "more than" not in asker.run("sql", "FROM sessions", "--limit", "6").out


def test_no_rows_are_spoken_of(asker: Desk) -> None:
    assert asker.run("sql", "FROM accepted_not_grounded").out == "No rows.\n"


def test_long_values_are_cut_for_people_and_whole_for_machines(asker: Desk) -> None:
    wide = "SELECT repeat('x', 5000) AS x"
    assert 200 <= asker.run("sql", wide).out.count("x") < 220
    assert asker.run("sql", wide, "--json").json["rows"] == [["x" * 5000]]


def test_brackets_are_no_markup(asker: Desk) -> None:
    assert "[red]" in asker.run("sql", "SELECT '[red]' AS x").out


def test_the_views_are_listed_with_their_sentence_and_columns(asker: Desk) -> None:
    said = asker.run("sql", "--views", "--json").json["views"]
    assert [one["name"] for one in said] == [one.name for one in VIEWS]
    assert next(one for one in said if one["name"] == "first_shot_rate")["columns"]["rate"] == "DOUBLE"
    assert "rejected_running" in asker.run("sql", "--views").out


def test_the_database_is_written(asker: Desk) -> None:
    assert asker.run("sql", "--write", "--json").json == {"database": str(asker.root / "lakehouse.duckdb")}
    assert (asker.root / "lakehouse.duckdb").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "give one query"),
        (["SELECT 1", "--views"], 2, "give one query"),
        (["SELEC 1"], 2, "syntax error"),
        (["FROM nowhere"], 2, "--views"),
        (["DROP VIEW sessions"], 2, "only SELECT"),
        (["FROM read_text('/etc/passwd')"], 2, "is not asked here"),
        (["SELECT count(*) FROM range(100000000000) a, range(1000) b", "--timeout", "0.2"], 3, "--timeout"),
        (["SELECT 1", "--timeout", "inf"], 2, "at most 3600 s"),
        (["SELECT 1", "--lake", "nowhere"], 2, "there is no lake here"),
    ],
)
def test_what_goes_wrong_is_one_line_with_what_to_do(asker: Desk, arguments: list[str], code: int, says: str) -> None:
    done = asker.run("sql", *arguments)
    assert (done.code, says in done.err, done.out) == (code, True, ""), done.err
    assert done.err.strip().count("\n") == 0


BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
PAGES = ("sql.md", "sessions.md")


def blocks(page: str) -> list[tuple[str, str]]:
    """Give the blocks of a page as (language, text)."""
    return BLOCK.findall((DOCS / page).read_text())


def commands(text: str) -> list[list[str]]:
    """Give the `lakehouse` commands of a shell block, as the shell would part them; a quoted one may have several lines."""
    lexed = shlex.shlex(text, posix=True, punctuation_chars="\n")
    lexed.whitespace, lexed.whitespace_split, lexed.commenters = " \t", True, ""
    found: list[list[str]] = [[]]
    for token in lexed:
        if set(token) == {"\n"}:
            found.append([])
        else:
            found[-1].append(token)
    said = [list(takewhile(lambda word: word != "#", one)) for one in found]
    return [one[1:] for one in said if one[:1] == ["lakehouse"]]


def printed(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def shown(page: str) -> Iterator[tuple[list[str], str | None]]:
    """Give the commands of a page, each with the result that stands below its block, if it is the block's last."""
    found = blocks(page)
    for (kind, text), (next_kind, next_text) in zip(found, [*found[1:], ("", "")], strict=True):
        if kind == "sh":
            *first, last = commands(text)
            yield from ((one, None) for one in first)
            yield last, next_text if next_kind == "text" else None


SHOWN = [one for page in PAGES for one in shown(page)]
QUERIES = [(page, text) for page in PAGES for kind, text in blocks(page) if kind == "sql"]


def test_the_pages_show_commands_and_queries() -> None:
    assert len(SHOWN) >= 15
    assert sum(result is not None for _, result in SHOWN) >= 10
    assert len(QUERIES) >= 5


@pytest.mark.parametrize(("command", "result"), SHOWN)
def test_every_command_of_the_pages_works_as_written_and_gives_what_is_shown(
    asker: Desk, command: list[str], result: str | None
) -> None:
    done = asker.run(*command)
    assert done.code == 0, done.err
    if result is not None:
        assert printed(done.out) == printed(result)


@pytest.mark.parametrize(("page", "query"), QUERIES)
def test_every_query_of_the_pages_is_answered(asker: Desk, page: str, query: str) -> None:
    assert ask(Lake(asker.root), query).columns


def test_the_page_lists_every_view_as_the_registry_does() -> None:
    said = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", (DOCS / "sql.md").read_text(), re.M))
    assert said == {view.name: view.says for view in VIEWS}
