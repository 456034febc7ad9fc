"""A process for `test_log.py`: appends sessions, so many or until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from lakehouse.sessions import SessionLog
from tests.lakehouse.sessions.conftest import session


def main() -> None:
    log, name, most = SessionLog(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    # Long enough for a write that could be torn, of a length that differs from line to line.
    records = [
        session(session_id=f"{name}-{number}", prompt="é" * (400 * (number % 9))) for number in range(max(most, 9))
    ]
    print("ready", flush=True)
    number = 0
    while most == 0 or number < most:
        assert log.append(records[number % len(records)])
        number += 1


if __name__ == "__main__":
    main()
