"""A process for `test_killed.py` to kill: builds the workers of a lake over and over, from two rosters in turn."""

from __future__ import annotations

import sys
from pathlib import Path

from lakehouse.corpora.build import build
from lakehouse.corpora.fresh import record_fresh
from tests.lakehouse.corpora.conftest import NOW, RUN, Room, worker


def main() -> None:
    room = Room(Path(sys.argv[1]))
    build(room.lake, "workers", room.embedder, NOW, RUN)
    print("ready", flush=True)
    number = 0
    while True:
        number += 1
        role = f"Role{number}"
        room.roster([worker(one, role=role) for one in range(40 + number % 2)])
        build(room.lake, "workers", room.embedder, NOW, RUN)
        for one in range(3):
            record_fresh(room.lake, [{"id": f"{role}-{one}", "role": role}], room.embedder, NOW)


if __name__ == "__main__":
    main()
