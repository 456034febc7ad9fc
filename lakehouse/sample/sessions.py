"""Sessions for a sample lake: what a few days of iterate leave in `_kb/sessions.jsonl`.

Here: which session ends how, and the log that comes of it. Not here: what models write (`proposals.py`), the loop and the
validators, which run as they always do: only the model and the clock are made up. No clock is read, all chance comes from
the seed, so that the same roster and seed give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from lakehouse.chat.answer import ChatAnswer, ChatError, Messages
from lakehouse.chat.routing import route
from lakehouse.corpora.logs import ignored
from lakehouse.errors import UsageError
from lakehouse.files import write_whole
from lakehouse.iterate import DAEMON, IterateRequest, iterate, session_id
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.roster.reading import find_roster, read_roster
from lakehouse.roster.schema import PREFIXES
from lakehouse.sample.draw import Draw
from lakehouse.sample.proposals import KINDS, Task, tasks
from lakehouse.validators.fill import is_grounded
from lakehouse.validators.kinds import validate
from lakehouse.validators.roster import Workers, of_rows

# What the attempts of a session are: `+` valid, `-` rejected, `.` without JSON, `!` failed outside. Three models, of which
# each next one sits less often at the first shot.
_MODELS: Final = (
    ("ollama_cloud/qwen3-coder:480b", {"+": 15, "-+": 2, ".+": 1, "!": 2}),
    ("qwen2.5:latest", {"+": 12, "-+": 3, "--+": 1, "---": 1, "...": 1, "!": 1, "-!": 1}),
    ("llama3.2:3b", {"+": 6, "-+": 3, ".+": 1, "---": 4, "-.-": 1, "..-": 1, "...": 2, "!": 2}),
)
DECK: Final = tuple(
    (model, course) for model, courses in _MODELS for course, times in courses.items() for _ in range(times)
)
"""The sessions of a sample: 60 of model and course."""

_ELSEWHERE: Final = b',"runtime":"rust","host":"gateway-1"}'
"""What the other runtime writes beyond the record."""


def write_sample_sessions(root: Path, seed: int, first_day: date, days: int) -> int:
    """Write the log of sessions of a sample lake, spread evenly over `days` days; give the number of sessions.

    Workers are those of the lake's roster: every accepted fill is grounded in it. Raises `UsageError` where there is no
    roster, or a log already.
    """
    lake = Lake(root)
    if lake.sessions.exists():
        raise UsageError("there is a log already", where=str(lake.sessions), mend="choose an empty folder")
    rows = roster_rows(lake)
    draw = Draw(f"{seed}/sessions")
    deck = draw.some(DECK, len(DECK))
    made = sorted(
        (_moment(draw, first_day + timedelta(days=place * days // len(deck))), *one) for place, one in enumerate(deck)
    )
    waiting = {kind: tasks(kind, rows, draw, sum(of == kind for of in _kinds(len(made)))) for kind in KINDS}
    play = partial(_played, draw, of_rows(rows))
    lines = [
        play(moment, model, course, waiting[kind].pop(0))
        for (moment, model, course), kind in zip(made, _kinds(len(made)), strict=True)
    ]
    write_whole(lake.sessions, b"".join(line + b"\n" for line in lines))
    return len(lines)


def _kinds(count: int) -> list[str]:
    """Deal the kinds: seven in ten are fills."""
    return [{3: "email", 6: "sms", 9: "email"}.get(place % 10, "fill") for place in range(count)]


def _moment(draw: Draw, day: date) -> datetime:
    """Draw a moment of the working day."""
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC) + timedelta(milliseconds=draw.whole(0, 43_199_999))


def roster_rows(lake: Lake) -> list[dict[str, Any]]:
    """Give the rows of a lake's workers. Raises `UsageError` where there is no roster."""
    path = find_roster(lake.raw, "workers")
    if path is None:
        raise UsageError("there is no roster of workers", where=str(lake.raw), mend="write the rosters first")
    return [row for batch in read_roster(path, PREFIXES["workers"], ignored) for row in batch.to_pylist()]


def _played(draw: Draw, roster: Workers, moment: datetime, model: str, course: str, task: Task) -> bytes:
    """Play one session and give its line."""
    scene = _Scene(draw, course, task)
    daemon = "gateway" if draw.chance(0.4) else DAEMON
    outcome = iterate(
        IterateRequest(kind=task.kind, prompt=task.prompt, model=model, max_iterations=3, daemon=daemon),
        scene,
        lambda kind, payload: validate(kind, payload, roster),
        log=None,
        clock=lambda: moment,
        monotonic=lambda: scene.now,
        new_id=lambda: session_id(int(moment.timestamp()) * 10**9 + draw.whole(0, 10**9 - 1), draw.whole(0, 2**32 - 1)),
        grounded=lambda payload: is_grounded(payload, roster),
    )
    line = encode(outcome.record)
    return line if daemon == DAEMON else line[:-1] + _ELSEWHERE


class _Scene:
    """A model that answers as a course says; `now` is the clock in seconds, and goes on while it thinks."""

    def __init__(self, draw: Draw, course: str, task: Task) -> None:
        self._draw, self._course, self._task = draw, iter(course), task
        self.now = 0.0

    def __call__(
        self,
        messages: Messages,
        model: str,
        *,
        format: str | Mapping[str, Any] | None = None,  # noqa: A002, ARG002 - as every chat is called
        temperature: float = 0.0,  # noqa: ARG002
        max_tokens: int | None = None,  # noqa: ARG002
        think: bool = False,  # noqa: ARG002
    ) -> ChatAnswer:
        """Give the next answer, or fail."""
        found, sign = route(model), next(self._course)
        if sign == "!":
            self.now += 120
            raise ChatError.of(
                "timeout",
                "no answer within 120 s",
                where=found.provider,
                mend="ask again, or give it more time in lakehouse.toml [chat]",
            )
        content = self._task.answer(sign, self._draw)
        latency = self._draw.whole(350, 2_400)
        self.now += latency / 1000
        return ChatAnswer(
            content=content,
            model=found.model,
            provider=found.provider,
            finish_reason="stop",
            prompt_tokens=sum(len(message["content"]) for message in messages) // 4,
            completion_tokens=len(content) // 4,
            latency_ms=latency,
        )
