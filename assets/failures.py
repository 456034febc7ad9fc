"""What an error of the domain means to Dagster: tried again, or not.

Here: the one translation that assets and checks use. Not here: the errors themselves (`lakehouse.errors`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from lakehouse.errors import LakehouseError, OutsideFailure

RETRIES = 2
FIRST_WAIT = 2.0
"""Seconds before the first retry; each later one waits twice as long."""


@contextmanager
def told(retry_number: int) -> Iterator[None]:
    """Turn errors of the domain into what Dagster shows: message first, and how to mend it.

    A disk or a server that fails is tried again with backoff; wrong data would fail again, so it is not.
    """
    try:
        yield
    except (OutsideFailure, OSError) as error:
        if retry_number < RETRIES:
            wait = FIRST_WAIT * 2**retry_number
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=wait) from error
        raise _failure(str(error), getattr(error, "mend", ""), OutsideFailure.exit_code) from error
    except LakehouseError as error:
        raise _failure(str(error), error.mend, error.exit_code) from error


def _failure(what: str, mend: str, exit_code: int) -> dg.Failure:
    return dg.Failure(
        description=what,
        metadata={"exit_code": exit_code, **({"to mend it": mend} if mend else {})},
        allow_retries=False,
    )
