r"""One scan for secrets and social security numbers over every string of an outgoing record.

Here: the rules, the cheap look over a record's bytes that comes first, the exact look over its strings, and masking.
Not here: what becomes of a record with a finding (`sft.py` and the other exports, `quarantine.py`).

Two looks. Nearly all records are clean, so one RE2 pattern is searched in the encoded line; it knows no context and
hits too often rather than too seldom. Only on a hit is the line decoded and each string searched by the exact rules.
Both see through JSON text inside strings, where `\n` or `\u2010` stand as characters, however often escaped. The first
pattern is built from the parts of the exact rules, so it cannot miss what they find; a property test holds that.

Sources of the formats, all public. Social Security Administration, "Social Security Number Randomization" (numbers never
given out); RFC 7468 (private keys); RFC 7519 (JWT); AWS IAM user guide, "IAM identifiers" (prefixes); GitHub changelog of
2021-03-31, "Authentication token format updates"; GitLab docs, "Token overview"; Slack docs, "Token types"; Stripe docs,
"API keys"; Google Cloud docs, "Manage API keys"; Hugging Face docs, "User access tokens"; npm docs, "About access
tokens"; PyPI help, "How can I use API tokens"; OpenAI, Anthropic and OpenRouter API references, "Authentication". Most
vendors publish the prefix alone: lengths are lower bounds below the keys they give out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec
import re2

ReasonCode = Literal["pii_ssn", "secret"]


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What was found (never the value itself) and where: `path` is its keys and indexes, `/messages/0/content`."""

    reason_code: ReasonCode
    kind: str
    path: str = ""


# Each is the pattern of one secret from its first character, in the syntax that `re` and RE2 share, ASCII only. The
# lengths keep words out: `sk-learn` and `task-based` are prose.
TOKENS: Final[dict[str, str]] = {
    "aws_access_key": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
    "github_token": r"(?:gh[pousr]_[A-Za-z0-9_]{36,}|github_pat_[A-Za-z0-9_]{50,})",
    "anthropic_key": r"sk-ant-[A-Za-z0-9_-]{20,}",
    "openrouter_key": r"sk-or-v1-[A-Za-z0-9]{32,}",
    "openai_key": r"sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{20,})",
    "slack_token": r"(?:xox[a-z]|xapp)-[A-Za-z0-9-]{20,}",
    "google_api_key": r"AIza[A-Za-z0-9_-]{35}",
    "huggingface_token": r"hf_[A-Za-z0-9]{34,}",
    "gitlab_token": r"glpat-[A-Za-z0-9_-]{20,}",
    "stripe_key": r"[sr]k_live_[A-Za-z0-9]{16,}",
    "jwt": r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "npm_token": r"npm_[A-Za-z0-9]{36}",
    "pypi_token": r"pypi-AgE[A-Za-z0-9_-]{32,}",
}
_KEY_BEGINS = r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"
# Up to the end of the block; where that was cut off, up to the next block or the end of the text.
_KEY_BODY = r"[^-]*+(?:-(?!----(?:BEGIN|END) )[^-]*+)*+(?:-----END [A-Z0-9 ]{1,60}-----)?"

_DASH = r"[-\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
_SPACE = r"[ \u00a0\u2000-\u200a\u202f\u205f\u3000]"
_DOT = r"\."
_AREA, _GROUP, _SERIAL = r"(?!000|666|9)[0-9]{3}", r"(?!00)[0-9]{2}", r"(?!0000)[0-9]{4}"
_REACH: Final = 60
"""How far before nine bare digits a word may begin that says what they are: some 40 characters and the word."""


def _grouped(separator: str) -> str:
    """Give the pattern of an SSN whose groups are parted by `separator`, and which is no part of a longer number."""
    before = rf"(?<![0-9])(?<![0-9]{_DASH})(?<![0-9]{separator})"
    after = rf"(?![0-9]|{_DASH}[0-9]|{separator}[0-9])"
    return before + _AREA + separator + _GROUP + separator + _SERIAL + after


_SSN = re.compile(f"{_grouped(_DASH)}|{_grouped(_SPACE)}|(?<![vV]){_grouped(_DOT)}")
_NINE_DIGITS = re.compile(rf"(?<![0-9]){_AREA}{_GROUP}{_SERIAL}(?![0-9])")
# Masked text says `[pii_ssn]` itself. `(?a` keeps case folding to ASCII: RE2 does not take a long s for an s.
_SSN_WORD = re.compile(
    r"(?<![A-Za-z])(?<!pii_)[Ss]\.?[Ss]\.?(?:[Nn]| ?#)|(?<=[a-z])S(?:SN|sn)|(?ai:soc(?:ial)?)[\s._-]{0,3}(?ai:sec(?:urity)?)(?![a-z])"
)
# A JWT starts where a run of its characters does: a text full of `-eyJ` would otherwise be read once for each.
_TOKEN = re.compile(
    "(?<![A-Za-z0-9])(?:"
    + "|".join(
        rf"(?P<{kind}>{'(?<![_-])' if kind == 'jwt' else ''}{pattern}(?![A-Za-z0-9]))"
        for kind, pattern in TOKENS.items()
    )
    + f")|(?P<private_key>{_KEY_BEGINS}{_KEY_BODY})"
)
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|[bfnrt])")

# The same over UTF-8 bytes, where a separator is a character or its escape and nothing is asked of the neighbours.
_ANY_SEPARATOR = (
    r"(?:[-. ]|\xc2[\xa0\xad]|\xe2\x80[\x80-\x8a\x90-\x95\xaf]|\xe2\x81\x9f|\xe2\x88\x92|\xe3\x80\x80"
    r"|\xef\xb9[\x98\xa3]|\xef\xbc\x8d"
    r"|\\+u(?i:00a0|00ad|200[0-9a]|201[0-5]|202f|205f|2212|3000|fe58|fe63|ff0d))"
)
_ESCAPED = r"\\(?:[bfnrt]|u[0-9a-fA-F]{4})"
_SSN_WORD_BYTES = (
    rf"(?:(?:^|[^A-Za-z]|{_ESCAPED})[Ss]\.?[Ss]\.?(?:[Nn]| ?#)|[a-z]S(?:SN|sn)"
    rf"|(?i:soc(?:ial)?(?:[^A-Za-z]|{_ESCAPED})*sec))"
)
_FIRST_LOOK = (
    *TOKENS.values(),
    _KEY_BEGINS,
    rf"[0-9]{{3}}{_ANY_SEPARATOR}[0-9]{{2}}{_ANY_SEPARATOR}[0-9]{{4}}",
    rf"{_SSN_WORD_BYTES}(?:.*(?:[^0-9]|{_ESCAPED}))?[0-9]{{9}}(?:[^0-9]|$)",
    # Nobody escapes a plain letter, digit, dash, dot, underscore or space, so whoever does is looked at closely.
    r"\\u00(?i:2[0de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])",
)


def _compiled() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    # A set of one: asking a set whether anything matches is RE2's cheapest question.
    patterns = re2.Set.SearchSet(options)
    patterns.Add(f"(?s:{'|'.join(_FIRST_LOOK)})".encode())
    patterns.Compile()
    return patterns


_suspicious = _compiled().Match


def scan(line: bytes) -> Finding | None:
    """Search one encoded record (a JSON text in UTF-8) and give the first finding, or `None`.

    About 3 µs where a record of 1.5 KB is clean. Raises `msgspec.DecodeError` where a suspicious line is no JSON.
    """
    if not _suspicious(line):
        return None
    for path, text in _walk(msgspec.json.decode(line)):
        finding = find(text)
        if finding is not None:
            # A key can hold a secret too, and the path must not repeat it.
            return Finding(finding.reason_code, finding.kind, mask(path))
    return None


def find(text: str) -> Finding | None:
    """Search one text by the exact rules and give the first finding, or `None`."""
    for _, _, reason_code, kind in sorted(_spans(text)):
        return Finding(reason_code, kind)
    return None


def ssns_in(text: str) -> Iterator[tuple[int, int]]:
    """Give start and end of every social security number of a text, whatever else is found in it."""
    return ((start, end) for start, end, reason_code, _ in _spans(text) if reason_code == "pii_ssn")


def names_ssn(text: str, end: int) -> bool:
    """Say whether a word begins up to 60 characters before a place that calls what stands there a social security number."""
    return _SSN_WORD.search(text, max(0, end - _REACH), end) is not None


def mask(text: str) -> str:
    """Replace every finding by `[pii_ssn]` or `[secret:<kind>]`; nothing is found in the result."""
    # What stood beside a number can have hidden its neighbour, so it is looked at until nothing is left.
    while spans := sorted(_spans(text)):
        parts: list[str] = []
        done = 0
        for start, end, reason_code, kind in spans:
            if start >= done:
                parts += (text[done:start], "[pii_ssn]" if reason_code == "pii_ssn" else f"[secret:{kind}]")
            done = max(done, end)
        text = "".join(parts) + text[done:]
    return text


def sealed(text: str) -> str:
    """Give a text as it is, or its digest where anything is found in it: equal ones stay equal, and nothing is told."""
    return text if find(text) is None else f"sha256:{sha256(text.encode()).hexdigest()}"


def strings_of(value: Any) -> Iterator[str]:
    """Give every string of a decoded record as `<path>: <string>`, and the paths of values that are no strings.

    The path holds the keys, which may be secrets themselves or say what nine bare digits are; whole numbers of nine
    digits are therefore given like strings.
    """
    return (text for _, text in _walk(value))


def _walk(record: Any) -> Iterator[tuple[str, str]]:
    # A stack and no recursion: a record may be nested deeply.
    stack: list[tuple[str, Any]] = [("", record)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, str):
            yield path, f"{path}: {value}" if path else value
        elif isinstance(value, dict):
            if not value:
                yield path, path
            stack.extend((f"{path}/{key}", item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            if not value:
                yield path, path
            stack.extend((f"{path}/{index}", value[index]) for index in range(len(value) - 1, -1, -1))
        elif type(value) is int and 100_000_000 <= value <= 999_999_999:
            yield path, f"{path}: {value}"
        else:
            yield path, path


Span = tuple[int, int, ReasonCode, str]


def _spans(text: str) -> Iterator[Span]:
    """Give start, end, reason code and kind of every finding, in no order; some may overlap."""
    if not _suspicious(text.encode(errors="surrogatepass")):
        return
    yield from _plain_spans(text)
    if "\\" not in text:
        return
    # As it stands `\npm_…` is a token after a backslash, and unescaped `\nghp_…` is one: both readings are searched.
    view, starts, origins = _unescaped(text)
    for start, end, reason_code, kind in _plain_spans(view):
        yield _origin(start, starts, origins), _origin(end, starts, origins), reason_code, kind


def _plain_spans(text: str) -> Iterator[Span]:
    for match in _SSN.finditer(text):
        yield match.start(), match.end(), "pii_ssn", "ssn"
    for match in _NINE_DIGITS.finditer(text):
        if names_ssn(text, match.start()):
            yield match.start(), match.end(), "pii_ssn", "ssn"
    for match in _TOKEN.finditer(text):
        assert match.lastgroup is not None
        yield match.start(), match.end(), "secret", match.lastgroup


def _unescaped(text: str) -> tuple[str, list[int], list[int]]:
    """Read JSON escapes in a text, however often escaped, as the characters they stand for.

    Gives the view and, for each stretch of it, where it starts in the view and in the text.
    """
    parts: list[str] = []
    starts, origins = [0], [0]
    size = done = 0
    for match in _ESCAPE.finditer(text):
        code = int(match[1], 16) if match[1] else 0x0A
        copied = text[done : match.start()]
        # Half of a surrogate pair is no character, and no secret holds one.
        parts += (copied, "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code))
        size += len(copied) + 1
        done = match.end()
        starts += (size - 1, size)
        origins += (match.start(), done)
    parts.append(text[done:])
    return "".join(parts), starts, origins


def _origin(position: int, starts: list[int], origins: list[int]) -> int:
    stretch = bisect_right(starts, position) - 1
    return origins[stretch] + position - starts[stretch]
