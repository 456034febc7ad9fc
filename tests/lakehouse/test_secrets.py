"""The scan for secrets and SSNs: what is one, what never is, and that the first look misses nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakehouse.secrets import TOKENS, Finding, find, mask, scan, strings_of

ALNUM = "Ab1" * 100
BASE64URL = "aB3_-" * 60
DASHES = "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
SPACES = " \u00a0\u2007\u2009\u202f\u3000"


def record(value: Any) -> bytes:
    return msgspec.json.encode({"id": "x", "text": value})


def private_key(kind: str = "RSA PRIVATE KEY", body: str = "MIIE+/=") -> str:
    # Put together here, so that nothing in this repository looks like a key.
    return f"-----{'BEGIN'} {kind}-----\n{body}\n-----{'END'} {kind}-----"


def jwt() -> str:
    return ".".join(("ey" + "J" + ALNUM[:17], "ey" + "J" + BASE64URL[:20], BASE64URL[:43]))


SECRETS = {
    "aws access key": ("aws_access_key", "AKI" + "A" + "IOSFODNN7EXAMPLE"),
    "aws temporary key": ("aws_access_key", "ASI" + "A" + "2" * 16),
    **{f"github gh{kind}_": ("github_token", f"gh{kind}" + "_" + ALNUM[:36]) for kind in "pousr"},
    "github fine-grained": ("github_token", "github" + "_pat_" + ALNUM[:22] + "_" + ALNUM[:59]),
    "anthropic": ("anthropic_key", "sk-" + "ant-api03-" + BASE64URL[:93] + "AA"),
    "openrouter": ("openrouter_key", "sk-" + "or-v1-" + "0f" * 32),
    "openai legacy": ("openai_key", "sk-" + ALNUM[:48]),
    "openai project": ("openai_key", "sk-" + "proj-" + BASE64URL[:120]),
    "openai service account": ("openai_key", "sk-" + "svcacct-" + BASE64URL[:120]),
    **{
        f"slack xox{kind}": ("slack_token", f"xox{kind}" + "-123456789012-1234567890123-" + ALNUM[:24])
        for kind in "abeprs"
    },
    "slack app": ("slack_token", "xap" + "p-1-A0123456789-1234567890123-" + "0f" * 32),
    "google": ("google_api_key", "AI" + "za" + BASE64URL[:35]),
    "hugging face": ("huggingface_token", "h" + "f_" + "aBcDeF" * 5 + "gHiJ"),
    "gitlab": ("gitlab_token", "glp" + "at-" + BASE64URL[:20]),
    "stripe secret": ("stripe_key", "sk_" + "live_" + ALNUM[:24]),
    "stripe restricted": ("stripe_key", "rk_" + "live_" + ALNUM[:99]),
    "jwt": ("jwt", jwt()),
    "npm": ("npm_token", "npm" + "_" + ALNUM[:36]),
    "pypi": ("pypi_token", "pypi-" + "AgEIcHlwaS5vcmc" + BASE64URL[:150]),
    **{
        kind.lower(): ("private_key", private_key(kind))
        for kind in (
            "PRIVATE KEY",
            "RSA PRIVATE KEY",
            "EC PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY",
            "PGP PRIVATE KEY BLOCK",
        )
    },
    "private key cut off": ("private_key", private_key().partition("\n-----END")[0]),
}
TOKEN_CASES = [pytest.param(kind, secret, id=name) for name, (kind, secret) in SECRETS.items()]
AROUND = ["{}", "key={}", '"{}"', "Bearer {} is mine", "({}),", "x\n{}\ny", "ü{}é", "\\n{}", "\\\\n{}", "\\u00e9{}"]


def test_every_kind_of_token_has_a_case() -> None:
    assert {kind for kind, _ in SECRETS.values()} == {*TOKENS, "private_key"}


@pytest.mark.parametrize(("kind", "secret"), TOKEN_CASES)
@pytest.mark.parametrize("around", AROUND)
def test_a_secret_is_found_wherever_it_stands(kind: str, secret: str, around: str) -> None:
    assert scan(record(around.format(secret))) == Finding("secret", kind, "/text")


@pytest.mark.parametrize(("kind", "secret"), TOKEN_CASES)
def test_a_secret_is_masked_and_its_neighbours_are_not(kind: str, secret: str) -> None:
    assert mask(f"before {secret} after") == f"before [secret:{kind}] after" or secret.count("-----") == 2
    assert mask(f"before {secret}").startswith(f"before [secret:{kind}]")


def test_a_key_block_that_was_cut_off_is_masked_up_to_the_next_one() -> None:
    text = private_key().partition("\n-----END")[0] + "\n" + private_key() + " and more - text"
    assert mask(text) == "[secret:private_key][secret:private_key] and more - text"


@pytest.mark.parametrize(
    "prose",
    [
        "sk-learn and scikit-learn are task-based",
        "a risk-averse desk-bound clerk",
        'class="sk-toggleable__label-arrow sk-estimator-doc-link fitted"',
        "task-orientedDialogueSystemsWithMemory12",
        "sk-",
        "sk-ant-",
        "sk-" + "proj-short",
        "sk-" + ALNUM[:19],
        "sk-" + "ant-" + BASE64URL[:19],
        "AKI" + "A" + "0" * 15,
        "AKI" + "A" + "0" * 17,
        "XAKI" + "A" + "0" * 16,
        "AKI" + "A" + "a" * 16,
        "the akia prefix, AKIA or ASIA",
        "gh" + "p_" + ALNUM[:35],
        "gh" + "x_" + ALNUM[:36],
        "github" + "_pat_" + ALNUM[:49],
        "xox" + "b-short",
        "xox" + "b-" + ALNUM[:19],
        "AI" + "za" + ALNUM[:34],
        "AI" + "za" + ALNUM[:36],
        "h" + "f_" + ALNUM[:33],
        "hf_hub_download and hf_transfer",
        "glp" + "at-" + ALNUM[:19],
        "sk_" + "live_" + ALNUM[:15],
        "sk_" + "test_" + ALNUM[:24],
        "npm" + "_" + ALNUM[:35],
        "npm_config_registry=https://registry.npmjs.org",
        "pypi-" + "AgE" + ALNUM[:31],
        jwt().rpartition(".")[0],
        "ey" + "J" + ALNUM[:40],
        "eyJ is how base64 of an object begins",
        f"-----{'BEGIN'} PUBLIC KEY-----\nMIIB\n-----{'END'} PUBLIC KEY-----",
        f"-----{'BEGIN'} CERTIFICATE-----",
        "BEGIN PRIVATE KEY",
        "0123456789abcdef" * 4,
    ],
)
def test_prose_and_halves_of_tokens_are_no_secrets(prose: str) -> None:
    assert scan(record(prose)) is None
    assert mask(prose) == prose


SSN = "123-45-6789"
SSNS = [
    SSN,
    *(f"123{dash}45{dash}6789" for dash in DASHES + SPACES + "."),
    "123-45\u20136789",
    "001-01-0001",
    "899-99-9999",
    "667-12-3456",
    "078-05-1120",
]


@pytest.mark.parametrize("number", SSNS)
@pytest.mark.parametrize(
    "around", ["{}", "SSN {}.", "a{}b", "({})", "id:{},", "x\n{}\n", "- {} -", "\\n{}", "\\u000a{}"]
)
def test_an_ssn_is_found_and_masked(number: str, around: str) -> None:
    text = around.format(number)
    assert scan(record(text)) == Finding("pii_ssn", "ssn", "/text")
    assert mask(text) == around.format("[pii_ssn]")


@pytest.mark.parametrize(
    "text",
    [
        "123\\u201045\\u20106789",
        "123\\\\u201045\\\\u20106789",
        "123\\u00a045\\u00A06789",
        "123\\u002d45\\u002D6789",
        "\\u0031\\u0032\\u0033-45-6789",
        "\\u00a0123-45-6789",
        "\\u2028ssn\\u00a0123456789\\n",
        '{\\"ssn\\": \\"123456789\\"}',
        json.dumps({"note": "123\u201145\u20116789"}),
        json.dumps(json.dumps({"note": "\n123\u201145\u20116789\n"})),
        json.dumps(json.dumps(json.dumps({"note": "\t123-45-6789"}))),
    ],
)
def test_an_ssn_is_seen_through_escapes_and_masked_there(text: str) -> None:
    assert scan(record(text)) == Finding("pii_ssn", "ssn", "/text")
    assert scan(json.dumps({"text": text}).encode()) == Finding("pii_ssn", "ssn", "/text")
    assert "[pii_ssn]" in mask(text)
    assert "6789" not in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "312-555-0143",
        "(312) 555-0143",
        "+1 312 555 0143",
        "+1-312-555-0143",
        "312.555.0143",
        "3125550143",
        "60601-1234",
        "SSN on file, ZIP 60601-1234",
        "12-3456789",
        "ssn or EIN 12-3456789",
        "2026-05-01",
        "2026-05-01T10:00:00.123456789Z",
        "01-05-2026",
        "550e8400-e29b-41d4-a716-446655440000",
        "00000000-1234-4123-8123-123456789012",
        "order 112-1234567-1234567",
        "order 123456789",
        "order 9-123-45-6789",
        "order 123-45-6789-01",
        "order 123\u201145\u20116789\u20111",
        "192.168.45.6789",
        "192.168.100.200",
        "1.123.45.6789",
        "v123.45.6789",
        "123.45.6789.1",
        "+45 123 45 6789",
        "123 45 6789 0",
        "1123-45-6789",
        "123-45-67890",
        "123-456-789",
        "123-45.6789",
        "123\n45\n6789",
        "123\\n45\\n6789",
        "123\t45\t6789",
        "123--45--6789",
        "ssn 1234567890",
        "ssn 12345678",
        "className 123456789",
        "address number 123456789",
        "lessons 123456789",
        "[pii_ssn], order 123456789",
        "ssn" + " " * 80 + "123456789",
        "associated secrets: 123456789 of them",
        "the social sector, 123456789 in all",
        "social securities 123456789",
    ],
)
def test_other_numbers_are_never_taken_for_an_ssn(text: str) -> None:
    assert scan(record(text)) is None
    assert mask(text) == text


@pytest.mark.parametrize("area", ["000", "666", "900", "999", "950"])
def test_areas_that_are_never_given_out_are_no_ssn(area: str) -> None:
    assert find(f"{area}-45-6789") is None
    assert find(f"ssn {area}456789") is None


@pytest.mark.parametrize("number", ["123-00-6789", "123-45-0000", "ssn 123006789", "ssn 123450000"])
def test_group_00_and_serial_0000_are_no_ssn(number: str) -> None:
    assert find(number) is None


@pytest.mark.parametrize(
    "text",
    [
        '"ssn": "123456789"',
        "SSN: 123456789",
        "SSN123456789",
        "ssn=123456789",
        "ssn_123456789",
        "Ssn 123456789",
        "S.S.N. 123456789",
        "SS# 123456789",
        "employeeSSN: 123456789",
        "userSsn=123456789",
        "user_ssn=123456789",
        "social security number is 123456789",
        "Social-Security 123456789",
        "socialSecurityNumber=123456789",
        "soc sec no 123456789",
        "socSecNo=123456789",
        "Soc. Sec. No.: 123456789",
        "SSN\n\n123456789\n",
        "his ssn, as he told us over the phone, is 123456789",
        "SSN 555123456, 123456789",
    ],
)
def test_nine_bare_digits_are_one_after_a_word_that_says_so(text: str) -> None:
    assert scan(record(text)) == Finding("pii_ssn", "ssn", "/text")
    assert "123456789" not in mask(text)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"ssn": "123456789"}, "/ssn"),
        ({"ssn": 123456789}, "/ssn"),
        ({"person": {"ssn": {"value": "123456789"}}}, "/person/ssn/value"),
        ({"ssns": ["none", "123456789"]}, "/ssns/1"),
        ({"messages": [{"role": "user"}, {"content": f"I am {SSN}"}]}, "/messages/1/content"),
        ({"tool_calls": [{"arguments": json.dumps({"q": f"\u2028{SSN}"})}]}, "/tool_calls/0/arguments"),
        ({SSN: None}, "/[pii_ssn]"),
        ({"a": {SSN: []}}, "/a/[pii_ssn]"),
        ({"a": {SSN: {}}}, "/a/[pii_ssn]"),
        ({SSN: {"b": 1.5}}, "/[pii_ssn]/b"),
        ([SSN], "/0"),
        (SSN, ""),
    ],
)
def test_keys_numbers_and_nested_values_are_searched_and_the_path_tells_nothing(value: Any, path: str) -> None:
    assert scan(msgspec.json.encode(value)) == Finding("pii_ssn", "ssn", path)


@pytest.mark.parametrize(
    "value",
    [
        {"ssn": None, "order": "123456789"},
        {"ssn": "withheld", "order": 123456789},
        {"order": 123456789},
        {"123": {"45": "6789"}},
        {"parts": ["123", "45", "6789"]},
        {"parts": [123, 45, 6789]},
        {"ssn": 1234567890},
        {"line_offset": 123456789, "reason_code": "pii_ssn"},
    ],
)
def test_neighbouring_values_do_not_make_an_ssn_together(value: Any) -> None:
    assert scan(msgspec.json.encode(value)) is None


def test_strings_of_gives_keys_and_values_in_their_order() -> None:
    value = {"a": "x", "b": [{"c": "y"}, 5, 123456789], "d": None}
    assert list(strings_of(value)) == ["/a: x", "/b/0/c: y", "/b/1", "/b/2: 123456789", "/d"]


def test_several_findings_in_one_text_are_all_masked() -> None:
    token = "gh" + "p_" + ALNUM[:36]
    text = f"{SSN} and {token}, {SSN} 123 45 6789; SSNs 123456789 123456788"
    assert mask(text) == ("[pii_ssn] and [secret:github_token], [pii_ssn] [pii_ssn]; SSNs [pii_ssn] [pii_ssn]")


def test_a_deeply_nested_record_is_searched() -> None:
    line = b'{"a":' * 500 + b'"123-45-6789"' + b"}" * 500
    assert scan(line) == Finding("pii_ssn", "ssn", "/a" * 500)


def test_half_a_surrogate_pair_does_not_stop_the_search() -> None:
    assert find("\\ud83d 123-45-6789") == Finding("pii_ssn", "ssn")
    assert mask("\ud83d 123-45-6789") == "\ud83d [pii_ssn]"


PIECES = st.sampled_from(
    [
        *(secret for _, secret in SECRETS.values()),
        *SSNS,
        *("123", "45", "6789", "123456789", "0", "9", "v", "7-"),
        *(
            "ssn",
            "SSN",
            "userSsn",
            "S.S.N",
            "ss #",
            "social security",
            "soc. sec",
            "\u017focial \u017fec",
            "pii_ssn",
            "class",
        ),
        *DASHES,
        *SPACES,
        *("\n", "\t", "\r", ".", "/", "_", "\\", '"', "é", "😀", "\x1c", "\x00", "n", "u"),
        *("\\n", "\\t", "\\\\n", "\\u2010", "\\\\u00a0", "\\u002d", "\\u0033", "\\u00e9", "\\ud83d", "\\u000a", "\\/"),
        *("gh", "p_", "sk-", "AKIA", "xoxb-", "eyJ", "npm_", "hf_", "rk_live_", "-----", "BEGIN "),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=2), max_size=8).map("".join)


@given(text=TEXTS, key=TEXTS, levels=st.integers(0, 2), ascii_only=st.booleans())
@example(text="SSN123456789", key="", levels=0, ascii_only=False)
@example(text="\\npm_" + ALNUM[:36], key="", levels=0, ascii_only=False)
def test_the_first_look_never_misses_what_the_exact_rules_find(
    text: str, key: str, levels: int, ascii_only: bool
) -> None:
    for _ in range(levels):
        text = json.dumps(text, ensure_ascii=ascii_only)
    value = {"k": [text], key: text}
    line = json.dumps(value, ensure_ascii=ascii_only).encode()
    # The exact rules alone, on every string.
    found = any(_exactly(string) for string in strings_of(value))
    assert (scan(line) is not None) == found
    assert (scan(msgspec.json.encode(value)) is not None) == found


def _exactly(text: str) -> bool:
    from lakehouse import secrets

    view = secrets._unescaped(text)[0]
    return any(True for reading in (text, view) for _ in secrets._plain_spans(reading))


@given(text=TEXTS)
def test_nothing_is_found_in_masked_text(text: str) -> None:
    masked = mask(text)
    assert find(masked) is None
    assert mask(masked) == masked
    assert (masked == text) == (find(text) is None)


@given(text=st.text())
def test_text_without_a_finding_stays_as_it_is(text: str) -> None:
    assert find(text) is not None or mask(text) == text
