"""Running the same pure function over many units of work, in this process or in several.

Here: the engine `local`. Not here: what the work is. A worker is a fresh process (spawn: no lock or handle of this one
is inherited), so the function must stand at the top of a module and its arguments must pickle.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORTH_A_PROCESS = 24 << 20
"""Bytes of work below which starting a process (0.5 s) costs more than it saves."""


def cores() -> int:
    """Give the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def run(
    work: Callable[[T], R],
    tasks: Sequence[T],
    size: Callable[[T], int],
    *,
    workers: int = 0,
    done: Callable[[T], None] = lambda task: None,
) -> list[R]:
    """Give `work(task)` for every task, in the order of the tasks; `workers` 0 is one per core.

    The largest tasks start first. Small work stays in this process. `done` is called as each task ends; the first error
    is raised after the tasks that run have ended.
    """
    workers = min(workers or cores(), len(tasks))
    sizes = [size(task) for task in tasks]
    if workers < 2 or sum(sizes) - max(sizes) < WORTH_A_PROCESS:
        results = []
        for task in tasks:
            results.append(work(task))
            done(task)
        return results
    order = sorted(range(len(tasks)), key=lambda place: -sizes[place])
    answers: dict[int, R] = {}
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(work, tasks[place]): place for place in order}
        try:
            for future in as_completed(futures):
                place = futures[future]
                answers[place] = future.result()
                done(tasks[place])
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [answers[place] for place in range(len(tasks))]
