"""Email addresses and phone numbers: which are of the right form, and when two are the same.

Here: the form, and keys to compare by. Not here: whose they are (`roster.py`), which stand in a text (`mentions.py`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email

LONGEST_EMAIL: Final = 254
FEWEST_DIGITS: Final = 7
_MOST_DIGITS: Final = 15
"""Digits of a phone number, ITU-T E.164 for the most; fewer than seven are an extension."""

_GROUP: Final = re.compile(r"[0-9]+")
_EXTENSION: Final = re.compile(r"[xX#]")
# What needs no closer look before the @: plain words with single signs between. An `xn--` of a host is looked at as a whole.
_PLAIN: Final = re.compile(r"([A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*+)@((?!.*xn--)[a-z0-9.-]+)")
_LONGEST_LOCAL: Final = 64
_PHONE: Final = re.compile(r"\+?[-0-9. ()/\u00a0\u00ad\u2010-\u2015\u2212]{7,40}")


def is_email(text: str) -> bool:
    """Say whether a text is an email address, by its form alone: nobody is asked whether it exists.

    Names that are reserved for documentation (`.example`, `example.com`) are; `.test`, `.invalid` and bare hosts are not.
    """
    if len(text) > LONGEST_EMAIL:
        return False
    plain = _PLAIN.fullmatch(text)
    if plain is None or plain.end(1) > _LONGEST_LOCAL:
        return _is_formed(text)
    return _is_host(plain[2])


@lru_cache(maxsize=1024)
def _is_host(host: str) -> bool:
    """Say whether mail can go to somebody at a host: looked at once, for a roster has many addresses at few hosts."""
    return _is_formed(f"a@{host}")


def _is_formed(text: str) -> bool:
    try:
        validate_email(text, check_deliverability=False)
    except (EmailNotValidError, UnicodeError):
        return False
    return True


def is_phone(text: str) -> bool:
    """Say whether a text is a phone number: 7 to 15 digits, and signs that people put between them."""
    return _PHONE.fullmatch(text) is not None and FEWEST_DIGITS <= sum(map(len, _GROUP.findall(text))) <= _MOST_DIGITS


def same_email(one: str, other: str) -> bool:
    """Say whether two addresses are one mailbox: case aside, and nothing else."""
    return one.lower() == other.lower()


def folded(text: str) -> str:
    """Give a text without differences of case and width: wide letters and signs are plain ones."""
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def email_key(email: str) -> str:
    """Give the form under which an address is looked for in a text: a look-alike in wide letters is found too."""
    return folded(email).strip()


def phone_key(phone: str) -> str:
    """Give the digits of a phone number without an extension, 00 and the 1 of North America; empty where there are too few."""
    plain = unicodedata.normalize("NFKC", phone)
    return national("".join(_GROUP.findall(_EXTENSION.split(plain, maxsplit=1)[0])))


def national(digits: str) -> str:
    """Give digits without 00 and the 1 of North America; empty where those that are left are no phone number."""
    digits = digits.removeprefix("00")
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    return digits if FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS else ""


def same_phone(one: str, other: str) -> bool:
    """Say whether two phone numbers are one. What has too few digits is none, and the same as no other."""
    key = phone_key(one)
    return bool(key) and key == phone_key(other)
