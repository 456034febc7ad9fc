"""Serving a corpus from memory, following the store.

Here: noticing a new version, swapping views, folding, training and saving beside. Not here: searching a view
(`snapshot.py`, `layered.py`), the plain path (`plain.py`).

A search takes a view once and stays with it. The next one is made whole before it takes its place, so that nobody sees half
of it. New rows are in it at once, as a layer that is searched exactly; folding them in and training lists happen in a thread,
while searches go on with what there is.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from lakehouse.errors import LakehouseError
from lakehouse.search import ivf, saved
from lakehouse.search.layered import Layered, rows_by_id
from lakehouse.search.snapshot import EXACT_BELOW, Snapshot
from lakehouse.search.views import Source

_FOLD_FROM: Final = 500
"""Newer rows from which on they are folded in; searching so many exactly costs 10 µs."""


class Status(msgspec.Struct, frozen=True):
    """How a corpus is served.

    `how` is `exact` or `ivf`, `newer` counts rows that are not yet folded in; `trouble` says what the last work beside ended
    with.
    """

    version: int
    rows: int
    newer: int
    how: str
    lists: int = 0
    probes: int = 0
    trouble: str = ""


class Searcher:
    """A corpus in memory (an `Engine`). Thread-safe.

    With `wait` a search sees every row that was written before it: it reads a new version first. Without, the search that
    notices a new version goes on with the old one while a thread reads. `folder` keeps the snapshot for the next start.
    """

    def __init__(self, source: Source, *, folder: Path | None = None, wait: bool = True, index_from: int = EXACT_BELOW):
        self._source = source
        self._folder = folder
        self._wait = wait
        self._index_from = index_from
        self._current: Layered | None = None
        self._saved: Callable[[], Snapshot | None] = lambda: None
        self._changing = threading.Lock()
        self._starting = threading.Lock()
        self._beside: threading.Thread | None = None
        self._following: threading.Thread | None = None
        self.trouble = ""

    def view(self) -> Layered:
        """Give the newest view (see the class for what newest means)."""
        current = self._current
        if current is not None:
            if current.version == self._source.version():
                return current
            if not self._wait:
                self._start("_following", self._follow)
                return current
        current = self._follow()
        if self._has_work(current):
            self._start("_beside", self._tidy)
        return current

    def prepare(self, *, retrain: bool = False) -> Layered:
        """Read the newest version, fold, train where lists are needed, and save: what a build calls at its end."""
        self._follow()
        self._tidy(whole=True, retrain=retrain)
        self.save()
        assert self._current is not None
        return self._current

    def save(self) -> None:
        """Write what is folded for the next start, unless it is there; nothing happens without a folder."""
        current = self._current
        if self._folder is not None and current is not None and current.base is not self._saved():
            saved.save(self._folder, current.base)
            self._saved = weakref.ref(current.base)

    def settle(self) -> None:
        """Wait for what is being done beside."""
        for thread in (self._following, self._beside):
            if thread is not None:
                thread.join()

    def status(self) -> Status:
        """Say how the corpus is served now."""
        view = self.view()
        lists = view.base.lists
        about = (len(lists.centroids), lists.probes) if lists else (0, 0)
        how = "ivf" if lists else "exact"
        return Status(view.version, len(view), len(view.newer), how, *about, trouble=self.trouble)

    def _follow(self) -> Layered:
        """Bring the view to the newest version."""
        with self._changing:
            current = self._current
            seen = self._source.version()
            if current is None and self._folder is not None:
                base = saved.load(self._folder)
                if base is not None:
                    self._saved = weakref.ref(base)
                    current = Layered(base, {}, base.version)
            if current is None or current.version != seen:
                current = self._changed(current) or self._read(current)
            self._current = current
            return current

    def _changed(self, old: Layered | None) -> Layered | None:
        """Add what was written since; `None` where everything must be read: rows were deleted, or nobody knows."""
        changes = self._source.changes(old.version) if old is not None else None
        if old is None or changes is None or changes.rows.identity != old.identity:
            return None
        new = Layered(old.base, {**old.newer, **rows_by_id(changes.rows)}, changes.version)
        return new if changes.total is None or changes.total == len(new) else None

    def _read(self, old: Layered | None) -> Layered:
        new = Snapshot(self._source.rows())
        if old is not None:
            carries = old.identity == new.identity and len(new) >= self._index_from
            new = Snapshot(new, lists=old.base.carried_lists(new) if carries else None, like=old.base)
        return Layered(new, {}, new.version)

    def _has_work(self, view: Layered) -> bool:
        return len(view.newer) >= _FOLD_FROM or self._needs_lists(view.base)

    def _needs_lists(self, snapshot: Snapshot) -> bool:
        if len(snapshot) < self._index_from or not ivf.available():
            return False
        return snapshot.lists is None or snapshot.lists.outgrown

    def _tidy(self, *, whole: bool = False, retrain: bool = False) -> None:
        """Fold and train; `whole` folds few rows too."""
        current = self._current
        assert current is not None
        if len(current.newer) >= (1 if whole else _FOLD_FROM):
            current = self._swap(current, current.folded())
        if self._needs_lists(current.base) or (retrain and current.base.lists):
            base = current.base
            current = self._swap(current, Snapshot(base, lists=ivf.train(base.vectors), like=base))
            self.save()

    def _swap(self, seen: Layered, base: Snapshot) -> Layered:
        """Put `base`, made of what `seen` held, in place; rows that came in the meantime stay in front of it.

        Where everything was read anew in the meantime, that stays, with the lists that were made carried over to it.
        """
        with self._changing:
            now = self._current
            assert now is not None
            if now.base is seen.base:
                held = seen.newer if base.version == seen.version else {}
                newer = {row_id: row for row_id, row in now.newer.items() if held.get(row_id) is not row}
                now = Layered(base, newer, now.version)
            elif base.lists is not None and self._needs_lists(now.base) and base.identity == now.identity:
                lists = base.carried_lists(now.base)
                now = Layered(Snapshot(now.base, lists=lists, like=now.base), now.newer, now.version)
            self._current = now
            return now

    def _start(self, place: str, do: Callable[[], Any]) -> None:
        """Do something beside, unless that is being done already."""
        with self._starting:
            running: threading.Thread | None = getattr(self, place)
            if running is None or not running.is_alive():
                thread = threading.Thread(target=self._try, args=(do,), name=f"search{place}", daemon=True)
                setattr(self, place, thread)
                thread.start()

    def _try(self, do: Callable[[], Any]) -> None:
        try:
            do()
        except (LakehouseError, OSError, RuntimeError, MemoryError) as error:
            # Searches go on with what there is; the next one that notices tries again.
            self.trouble = str(error)
        else:
            self.trouble = ""
