"""The form of an email address is what `email-validator` says, also where it is not asked for each."""

from __future__ import annotations

import email_validator
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakehouse.validators.contacts import LONGEST_EMAIL, is_email

LOCALS = st.text("ab9._+-", min_size=1, max_size=8) | st.sampled_from(["a" * 64, "a" * 65, "a@b", "é", "postmaster"])
LABELS = st.text("ab9-", max_size=5) | st.sampled_from(
    ["example", "test", "local", "arpa", "xn--9ca", "xn--", "ab--c", "x_y", "A", "é", "a" * 63, "a" * 64, "123", "com"]
)
HOSTS = st.lists(LABELS, min_size=1, max_size=5).map(".".join)


def by_the_library(text: str) -> bool:
    try:
        email_validator.validate_email(text, check_deliverability=False)
    except email_validator.EmailNotValidError:
        return False
    return len(text) <= LONGEST_EMAIL


@given(local=LOCALS, host=HOSTS, after=st.sampled_from(["", "", "", "\n", " ", ">"]))
@example(local="a" * 64, host=".".join(["b" * 60] * 3 + ["example"]), after="")
@example(local="a" * 54, host=".".join(["b" * 60] * 3 + ["b" * 8, "example"]), after="")
def test_an_address_is_one_where_the_library_says_so(local: str, host: str, after: str) -> None:
    text = f"{local}@{host}{after}"
    assert is_email(text) == by_the_library(text)


@pytest.mark.parametrize("length", [253, 254, 255])
def test_the_longest_address_has_254_characters(length: int) -> None:
    host = ".".join(["b" * 60] * 3 + ["example"])
    text = f"{'a' * (length - len(host) - 1)}@{host}"
    assert is_email(text) == by_the_library(text) == (length <= 254)
