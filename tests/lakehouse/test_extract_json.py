"""extract_json: which object of a text is the answer, equal to a slow plain rule, in linear time on any text."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehouse.canonical import MAX_DEPTH
from lakehouse.extract_json import MAX_DIGITS, Scanner, extract_json
from lakehouse.parity.probe import load_fixtures

# The twelve kinds of answer that runtimes are compared by: the fixtures of the parity probe.
CASES = [(one.name, one.input["text"], one.expected["value"]) for one in load_fixtures("extract_json")]

# What the module's first lines promise beyond them.
DECISIONS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("an invalid one is passed over", '{oops} {"a": 1}', {"a": 1}),
    ("an unclosed one is passed over", '{"open": [1, {"a": 1}', {"a": 1}),
    ("braces doubled by a template", '{{"a": 1}}', {"a": 1}),
    ("a fence wins over earlier prose", '{"no": 1}\n```json\n{"a": 1}\n```', {"a": 1}),
    ("the second block where the first has none", '```\nls\n```\n```json\n{"a": 1}\n```\n', {"a": 1}),
    ("prose where no block has one", '```\n{oops}\n```\n{"a": 1}', {"a": 1}),
    ("an object does not reach beyond its block", '```\n{"b":\n```\n1}\n{"a": 1}', {"a": 1}),
    ("tildes", '{"no": 1}\n~~~json\n{"a": 1}\n~~~', {"a": 1}),
    ("tildes within prose are none", 'well~~~ {"a": 1}\n~~~x', {"a": 1}),
    ("line ends of Windows", '{"no": 1}\r\n```json\r\n{"a": 1}\r\n```\r\n', {"a": 1}),
    ("any language tag", '{"no": 1}\n```c++\n{"a": 1}\n```', {"a": 1}),
    ("a tag with more words", '{"no": 1}\n```json title=x\n{"a": 1}\n```', {"a": 1}),
    ("an indented fence", '{"no": 1}\n   ```json\n   {"a": 1}\n   ```', {"a": 1}),
    ("a fence at the end of prose", '{"no": 1} so: ```json\n{"a": 1}\n```\n{"b": 2}', {"a": 1}),
    ("a fence within one line", '{"no": 1} so ```json {"a": 1}``` {"b": 2}', {"a": 1}),
    ("text after a fence of one line is prose", '```json {"a": 1}```\n{"b": 2}', {"a": 1}),
    ("a fence that closes behind the object", '{"no": 1}\n```json\n{"a": 1}```\n{"b": 2}', {"a": 1}),
    ("a fence that never closes", '{"no": 1}\n```json\n{"a": 1}\n', {"a": 1}),
    ("a longer fence holds a shorter one", '{"no": 1}\n````\n```\nx\n```\n{"a": 1}\n````\n', {"a": 1}),
    ("backticks within a string", '```json\n{"code": "```py\\nx\\n```"}\n```', {"code": "```py\nx\n```"}),
    ("a word on fences is no fence", 'write ``` to fence {"a": 1}\nand {"b": 2}', {"a": 1}),
    ("an apostrophe in prose", "it's what I'd say: {\"a\": 1}", {"a": 1}),
    ("a quote in prose that never closes", 'he said "look {"a": 1}', {"a": 1}),
    ("an apostrophe within a string", '{"a": "it\'s"}', {"a": "it's"}),
    ("single quotes are no JSON", "{'a': 1}", None),
    ("a quoted object is a string", '"{\\"a\\": 1}"', None),
    ("a trailing comma", '{"a": 1,}', None),
    ("a comment", '{"a": 1 // one\n}', None),
    ("NaN", '{"a": NaN}', None),
    ("Infinity", '{"a": -Infinity}', None),
    ("a number beyond a double", '{"a": 1e400}', None),
    ("a leading zero", '{"a": 01}', None),
    ("a lone surrogate, escaped", '{"a": "\\ud800"}', None),
    ("a lone low surrogate, escaped", '{"a": "\\udc00\\ud800"}', None),
    ("a lone surrogate as it is", '{"a": "\ud800"}', None),
    ("a raw line end within a string", '{"a": "x\ny"}', None),
    ("a bad escape", '{"a": "\\x"}', None),
    ("a digit of another script", '{"a": \u0661}', None),
    ("a space of another script", '{\u00a0"a": 1}', None),
    ("duplicate keys", '{"a": 1, "a": 2}', {"a": 2}),
    (
        "an integer of 64 bits and more",
        '{"a": [9223372036854775807, 1180591620717411303424]}',
        {"a": [2**63 - 1, 2**70]},
    ),
    ("nothing at all", "", None),
    ("scalars alone", '1 "x" null [1, 2]', None),
    ("a closing bracket of another kind", '{"a": [1}, 2]', None),
    ("no value", '{"a"} {"b":} {:1} {,} {"c" 1}', None),
    ("white space everywhere", '{ \n "a" \t : [ ] , "b" : { } \r\n }', {"a": [], "b": {}}),
]


@pytest.mark.parametrize(("text", "value"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_twelve_kinds_of_answer(text: str, value: dict[str, Any] | None) -> None:
    assert extract_json(text) == (value is not None, value)


@pytest.mark.parametrize(("text", "value"), [case[1:] for case in DECISIONS], ids=[case[0] for case in DECISIONS])
def test_what_was_decided(text: str, value: dict[str, Any] | None) -> None:
    assert extract_json(text) == (value is not None, value)


@pytest.mark.parametrize("number", ["1", "-0", "1.0", "1e5", "123456789012345678901234567890", "1e-400"])
def test_a_number_keeps_its_value_and_type(number: str) -> None:
    found = extract_json(f'{{"a": {number}}}').value
    assert found is not None
    assert repr(found["a"]) == repr(json.loads(number))


def test_the_longest_integer_is_read_and_a_longer_one_passed_over() -> None:
    assert extract_json(f'{{"a": {"1" * MAX_DIGITS}}}').matched
    assert not extract_json(f'{{"a": {"1" * (MAX_DIGITS + 1)}}}').matched


@pytest.mark.parametrize(("opening", "closing", "levels"), [('{"a":', "}", 1), ('{"a":[', "]}", 2)])
def test_an_object_that_is_too_deep_gives_the_one_within_it_that_is_not(
    opening: str, closing: str, levels: int
) -> None:
    deepest = MAX_DEPTH // levels
    text = opening * (deepest + 3) + "1" + closing * (deepest + 3)
    found: Any = extract_json(text).value
    for _ in range(deepest):
        found = found["a"][0] if levels == 2 else found["a"]
    assert found == 1


# The rule in its plainest form, quadratic: read at every brace with the standard library, and refuse what we refuse.


def slowly(text: str) -> dict[str, Any] | None:
    def refuse(name: str) -> Any:
        raise ValueError(name)

    decoder = json.JSONDecoder(parse_constant=refuse)
    for place, character in enumerate(text):
        if character == "{":
            try:
                value, _ = decoder.raw_decode(text, place)
                json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
            except ValueError:
                continue
            assert isinstance(value, dict)
            return value
    return None


PIECES = st.sampled_from(
    """{ } [ ] : , " \\ \\u d83d \\ude00 "a" "b": {"a": 1 - 1e999 0 1.5 null true nul x ' é {} {"k":{}} "{" \\" :[ }, NaN""".split()
) | st.sampled_from([" ", "\n"])
SOUP = st.lists(PIECES, max_size=25).map("".join)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('{}[]":,\\x'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('{}":,\\x', max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=600)
@given(SOUP)
@example('{"{":",":"}')
@example('{"a":{"b":1},{"c":2}')
@example('{"x {"a":1}')
def test_it_gives_what_the_plain_rule_gives(text: str) -> None:
    assert Scanner(text).first() is None or json.loads(Scanner(text).first() or "") == slowly(text)
    assert extract_json(text).value == slowly(text)


@settings(deadline=None, max_examples=300)
@given(st.lists(JSON.map(json.dumps) | SOUP, max_size=4).map(" ".join), st.integers(0, 60), st.integers(0, 60))
def test_it_gives_what_the_plain_rule_gives_for_whole_and_torn_json(text: str, cut: int, drop: int) -> None:
    torn = text[:cut] + text[cut + drop % 3 :]
    assert extract_json(torn).value == slowly(torn)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4), st.sampled_from(["```", "````", "~~~"]), st.booleans())
def test_what_was_written_into_a_fence_comes_back(value: dict[str, Any], fence: str, indented: bool) -> None:
    written = json.dumps(value, indent=2 if indented else None)
    assert extract_json(f"{{x}} {{}}\n{fence}json\n{written}\n{fence}\nthat is it {{}}") == (True, value)


ADVERSARIES = {
    "open braces": lambda n: "{" * n,
    "open braces with keys": lambda n: '{"a":' * n,
    "nested and broken at its heart": lambda n: '{"a":' * n + "x" + "}" * n,
    "nested, with a number that is too large": lambda n: '{"a":' * n + "1e400" + "}" * n,
    "nested and broken at its end": lambda n: '{"a":[' * n + "1" + "]}" * (n - 1) + "]",
    "objects in a list that never closes": lambda n: '{"a":[' + "[1]," * n + "x",
    "strings that hide braces": lambda n: '{"{":",' * n,
    "strings in two readings": lambda n: '{":":",":' * n,
    "strings in two readings, with objects": lambda n: '{"{":{",":{"}' * n,
    "a string that never ends": lambda n: '{"' + '\\"{' * n,
    "escapes": lambda n: '{"\\' * n,
    "brackets": lambda n: '{"a":' + "[" * n,
    "prose": lambda n: 'he said "it\'s {fine}" and {\'k\': broken, {"a": [1, {"b" 2}, } don\'t ' * n,
    "fences": lambda n: "```\n{\n" * n,
    "fences in a line": lambda n: '``` {"a" ' * n,
}


@pytest.mark.parametrize("name", ADVERSARIES)
def test_no_character_is_read_more_than_a_few_times(name: str) -> None:
    for size in (500, 8_000):
        text = ADVERSARIES[name](size)
        scanner = Scanner(text)
        scanner.first()
        assert scanner.steps <= 3 * len(text)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_a_fenced_object_is_found_behind_whatever_comes_before_it(name: str) -> None:
    text = ADVERSARIES[name](300) + '\n```\n```json\n{"found": 1}\n```'
    assert extract_json(text) == (True, {"found": 1})


def test_the_sizes_that_broke_others_are_read() -> None:
    assert extract_json("{" * 100_000) == (False, None)
    assert extract_json("{" * 100_000 + '{"a": 1}') == (True, {"a": 1})
    assert extract_json("word {x} \"y' " * 200_000 + '{"a": 1}') == (True, {"a": 1})


def test_infinities_never_come_out() -> None:
    found = extract_json('{"a": 1e400} {"b": 1.7976931348623157e308}').value
    assert found is not None
    assert math.isfinite(found["b"])
