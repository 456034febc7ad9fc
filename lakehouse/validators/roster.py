"""The workers that proposals are held against: looked up by id, by email and by phone.

Here: the lookup, made from a lake or from rows. Not here: reading files (`lakehouse.roster`), searching
(`lakehouse.corpora`), the rules (`fill.py`, `email.py`, `sms.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from sys import intern
from typing import Any, Final

import msgspec

from lakehouse.corpora.logs import ID, fresh_of, ignored
from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.records import FreshWorker, QuarantinedRow
from lakehouse.roster.reading import find_roster, read_roster
from lakehouse.roster.schema import PREFIXES
from lakehouse.validators.contacts import email_key, phone_key
from lakehouse.validators.mentions import Emails, Ids, Phones


class Worker(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a validator knows of a worker. Texts are empty, `available` and `blacklisted` null where nothing is known."""

    id: str
    name: str = ""
    role: str = ""
    city: str = ""
    state: str = ""
    available: bool | None = None
    blacklisted: bool | None = None
    email: str = ""
    phone: str = ""


_COLUMNS: Final = Worker.__struct_fields__
_SHARED: Final = frozenset({"role", "city", "state"})
"""Columns whose values repeat, and are kept once."""


class Workers:
    """A roster, looked up. It never changes; `excluding` gives another view of the same workers.

    Memory: some 600 bytes per worker.
    """

    def __init__(self, workers: Mapping[str, Worker]) -> None:
        self._by_id = workers
        self.emails = Emails(_grouped((email_key(one.email), one.id) for one in workers.values() if one.email))
        self.phones = Phones(_grouped((phone_key(one.phone), one.id) for one in workers.values() if one.phone))
        self._excluded: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, worker_id: object) -> bool:
        return isinstance(worker_id, str) and worker_id in self._by_id

    def get(self, worker_id: str) -> Worker | None:
        """Give the worker of exactly this id: no case is folded, nothing trimmed."""
        return self._by_id.get(worker_id)

    def is_excluded(self, worker_id: str) -> bool:
        """Say whether this view excludes a worker."""
        return worker_id in self._excluded

    def with_email(self, key: str) -> Ids:
        """Give the ids of the workers with an email, by its `email_key`."""
        return self.emails.of.get(key, ())

    def excluding(self, ids: Iterable[str]) -> Workers:
        """Give a view in which these are excluded too. It costs nothing per worker. Raises as `ids_of`."""
        view = copy(self)
        view._excluded = self._excluded | ids_of(ids)
        return view


def of_rows(rows: Iterable[Mapping[str, Any]]) -> Workers:
    """Make a lookup of rows with the columns of a roster; other columns are left aside, null and blank are not known.

    White space around a text is dropped, as where a roster is read from a file. Raises `UsageError` for a row that is no worker, and for an id that is there twice.
    """
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
        raise UsageError(
            "this is no list of workers", where="the roster", mend="give a list of objects, one per worker"
        )
    found: dict[str, Worker] = {}
    for place, row in enumerate(rows):
        try:
            worker = msgspec.convert(
                {key: value for key, value in map(_known, row.items()) if value is not None}, Worker
            )
        except (msgspec.ValidationError, AttributeError) as error:
            raise UsageError(f"this is no worker ({error})", where=f"row {place} of the roster") from None
        if not ID.fullmatch(worker.id):
            # Errors repeat the ids of the roster, and go into prompts and logs.
            raise UsageError(
                "the id is no id",
                where=f"row {place} of the roster",
                mend="write letters, digits and . _ : - (at most 128)",
            )
        if found.setdefault(worker.id, worker) is not worker:
            raise UsageError("the id is that of an earlier row", where=f"row {place} of the roster")
    return Workers(found)


def _known(cell: tuple[str, Any]) -> tuple[str, Any]:
    """Trim a text, but for the id: an id with a space is another, or none."""
    name, value = cell
    return (name, value.strip()) if name != "id" and isinstance(value, str) else cell


def ids_of(given: object) -> frozenset[str]:
    """Give ids as a set. Raises `UsageError` for one text, whose letters would be ids, and for what holds anything but texts."""
    why = f"they are given as {type(given).__name__}"
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
        ids = list(given)
        strange = [one for one in ids if not isinstance(one, str)]
        if not strange:
            return frozenset(ids)
        why = f"one of them is {type(strange[0]).__name__}"
    raise UsageError(f"the ids to exclude are no list of texts: {why}", mend='give a list of ids, such as ["w-17"]')


def workers_of(lake: Lake, refuse: Callable[[QuarantinedRow], None] = ignored) -> Workers:
    """Read the workers of a lake: its rosters and the fresh workers. Without any, nobody is known.

    A row that cannot be used goes to `refuse`, as where the corpora are built. Where a roster and the log of fresh workers
    hold one id, the roster's row stays, but a no of either counts: blacklisted, not available. Raises `UsageError` for a
    roster that cannot be read.
    """
    found: dict[str, Worker] = {}
    for name, prefix in PREFIXES.items():
        path = find_roster(lake.raw, name)
        if path is not None:
            for batch in read_roster(path, prefix, refuse, roster=name, source_file=lake.relative(path)):
                for worker in map(Worker, *(_column(batch, column) for column in _COLUMNS)):
                    found[worker.id] = worker
    for _, fresh in fresh_of(lake, refuse).values():
        found[fresh.id] = _with_fresh(found.get(fresh.id), fresh)
    return Workers(found)


def _column(batch: Any, name: str) -> Iterable[Any]:
    values: list[Any] = batch.column(name).to_pylist()
    return map(intern, values) if name in _SHARED else values


def _with_fresh(held: Worker | None, fresh: FreshWorker) -> Worker:
    if held is None:
        texts = {
            name: (getattr(fresh, name) or "").strip() for name in ("name", "role", "city", "state", "email", "phone")
        }
        return Worker(fresh.id, available=fresh.available, blacklisted=fresh.blacklisted, **texts)
    return msgspec.structs.replace(
        held,
        available=False if fresh.available is False else held.available,
        blacklisted=True if fresh.blacklisted else held.blacklisted,
    )


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, Ids]:
    found: dict[str, list[str]] = {}
    for key, worker_id in pairs:
        if key:
            found.setdefault(key, []).append(worker_id)
    return {key: tuple(ids) for key, ids in found.items()}
