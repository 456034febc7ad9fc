"""Email addresses and phone numbers: when two are the same, which are of the right form, and which stand in a text.

Here: keys to compare by, and finding candidates in linear time. Not here: whose they are (`roster.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from email_validator import EmailNotValidError, validate_email

LONGEST_EMAIL: Final = 254
_LOCAL, _DOMAIN = 64, 255
_DIGITS: Final = (7, 15)
"""Digits of a phone number, ITU-T E.164 for the most; fewer than seven are an extension."""

_MOST_GROUPS: Final = 7
_SEPARATOR: Final = r"[-. ()/\u00a0\u00ad\u2010-\u2015\u2212]"
_RUN: Final = re.compile(rf"[0-9]+(?:{_SEPARATOR}{{1,4}}[0-9]+)*")
_GROUP: Final = re.compile(r"[0-9]+")
_PHONE: Final = re.compile(rf"\+?(?:[0-9]|{_SEPARATOR}){{7,40}}")
# Signs that may stand in an address but hardly ever do, and do in markdown and URLs beside one, part too.
_BREAK: Final = re.compile(r"[\s<>()\[\]{},;:\"'@/=*|~`]")
_HOST: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*")


def is_email(text: str) -> bool:
    """Say whether a text is an email address, by its form alone: nobody is asked whether it exists.

    Names that are reserved for documentation (`.example`, `example.com`) are; `.test`, `.invalid` and bare hosts are not.
    """
    if len(text) > LONGEST_EMAIL:
        return False
    try:
        validate_email(text, check_deliverability=False)
    except (EmailNotValidError, UnicodeError):
        return False
    return True


def is_phone(text: str) -> bool:
    """Say whether a text is a phone number: 7 to 15 digits, and signs that people put between them."""
    return _PHONE.fullmatch(text) is not None and _DIGITS[0] <= sum(map(len, _GROUP.findall(text))) <= _DIGITS[1]


def same_email(one: str, other: str) -> bool:
    """Say whether two addresses are one mailbox: case aside, and nothing else."""
    return one.lower() == other.lower()


def email_key(email: str) -> str:
    """Give the form under which an address is looked for in a text: a look-alike in wide letters is found too."""
    return unicodedata.normalize("NFKC", email).strip().casefold()


def phone_key(phone: str) -> str:
    """Give the digits of a phone number without an extension, 00 and the 1 of North America; empty where there are too few."""
    digits = "".join(_GROUP.findall(re.split(r"(?i)x|ext|#", phone, maxsplit=1)[0]))
    return _key(digits)


def _key(digits: str) -> str:
    digits = digits.removeprefix("00")
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    return digits if _DIGITS[0] <= len(digits) <= _DIGITS[1] else ""


def email_keys(text: str) -> Iterator[str]:
    """Give the key of what stands around each @ of a text."""
    at = text.find("@")
    while at >= 0:
        host = _HOST.match(text, at + 1, at + 1 + _DOMAIN)
        local = _BREAK.split(text[max(0, at - _LOCAL) : at])[-1] if host else ""
        if host and local:
            yield email_key(f"{local}@{host[0]}")
            if stripped := local.lstrip("_.-!?"):
                yield email_key(f"{stripped}@{host[0].rstrip('_')}")
        at = text.find("@", at + 1)


def phone_keys(text: str) -> Iterator[str]:
    """Give the key of every sequence of neighbouring groups of digits that could be a phone number."""
    for run in _RUN.finditer(text):
        if run.end() - run.start() < _DIGITS[0]:
            continue
        groups = _GROUP.findall(run[0])
        for first in range(len(groups)):
            digits = ""
            for group in groups[first : first + _MOST_GROUPS]:
                digits += group
                if len(digits) > _DIGITS[1] + 2:
                    break
                if key := _key(digits):
                    yield key
