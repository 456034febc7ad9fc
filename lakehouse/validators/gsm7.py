"""How long a text message is: in septets of GSM-7, or in units of UCS-2 where it holds anything else.

Source: 3GPP TS 23.038 (GSM 03.38), the default alphabet (6.2.1) and its extension (6.2.1.1), whose characters take an escape
and so two septets. One message has 140 bytes: 160 septets or 70 units of 16 bits. Not here: messages in several parts.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The 127 characters of the default alphabet, in its order; 0x1B is the escape and no character."""

EXTENSION: Final = "\f^{}\\[~]|€"
"""The characters that take two septets."""

SEPTETS: Final = 160
UNITS: Final = 70

_BASIC: Final = frozenset(BASIC)
_ALL: Final = _BASIC | frozenset(EXTENSION)


class Length(NamedTuple):
    """How long a message is and how long it may be. A `unit` is a septet of GSM-7 or 16 bits of UCS-2."""

    encoding: Literal["GSM-7", "UCS-2"]
    used: int
    most: int


def length_of(text: str) -> Length:
    """Measure a text as one message: `€` is two septets, `😀` two units."""
    held = set(text)
    if held <= _BASIC:
        return Length("GSM-7", len(text), SEPTETS)
    if held <= _ALL:
        return Length("GSM-7", len(text) + sum(map(text.count, EXTENSION)), SEPTETS)
    return Length("UCS-2", len(text.encode("utf-16-le", "surrogatepass")) // 2, UNITS)
