"""What an error of the domain means to Dagster."""

import dagster as dg
import pytest

from assets.failures import RETRIES, told
from lakehouse.errors import GateFailed, LakehouseError, OutsideFailure, RecordError, StreamRewritten, UsageError


@pytest.mark.parametrize("error", [UsageError, RecordError, StreamRewritten, GateFailed])
def test_what_would_fail_again_is_not_tried_again(error: type[LakehouseError]) -> None:
    with pytest.raises(dg.Failure) as caught, told(0):
        raise error("it is wrong", where="here", mend="mend it")
    assert caught.value.allow_retries is False
    assert "here: it is wrong" in (caught.value.description or "")
    assert caught.value.metadata["to mend it"].value == "mend it"
    assert caught.value.metadata["exit_code"].value == error.exit_code


@pytest.mark.parametrize("error", [OutsideFailure("the disk is full"), OSError(5, "Input/output error")])
def test_what_may_pass_is_tried_again_and_waits_longer_each_time(error: Exception) -> None:
    waits = []
    for number in range(RETRIES):
        with pytest.raises(dg.RetryRequested) as caught, told(number):
            raise error
        waits.append(caught.value.seconds_to_wait)
    assert waits == [2.0, 4.0]


def test_after_the_last_try_the_error_is_told(tmp_path: object) -> None:
    with pytest.raises(dg.Failure) as caught, told(RETRIES):
        raise OutsideFailure("the disk is full", where="/lake", mend="free some space")
    assert caught.value.metadata["exit_code"].value == 3


def test_an_error_of_the_code_is_left_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), told(0):
        raise ZeroDivisionError
