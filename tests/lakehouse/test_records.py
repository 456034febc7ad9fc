"""Every record of the wire: absent and empty differ, keys stand in declared order, other versions are refused."""

from __future__ import annotations

import inspect
import json
import types
import typing
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest

from lakehouse import records
from lakehouse.errors import RecordError
from lakehouse.jsonl import JsonlReader, encode, read_json

TYPES: list[type[records.Record]] = [
    kind
    for _, kind in inspect.getmembers(records, inspect.isclass)
    if issubclass(kind, records.Record) and kind is not records.Record
]
VERSIONED = [kind for kind in TYPES if {"schema_version", "schema"} & set(kind.__struct_encode_fields__)]
OPEN = [kind for kind in TYPES if not kind.__struct_config__.forbid_unknown_fields]
"""All but those whose keys are a closed set of tags: there an unknown one is an error."""
EMPTY = {str: "", int: 0, float: 0.0, bool: False, Any: ""}


def options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def optional(hint: Any) -> bool:
    return type(None) in options(hint)


def empty(hint: Any) -> Any:
    """Give the emptiest value of a type that is still a value: 0, "", False, [], {} or the first of a set."""
    hint = next(option for option in options(hint) if option is not type(None))
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) in (list, dict):
        return get_origin(hint)()
    if isinstance(hint, type) and issubclass(hint, records.Record):
        return emptiest(hint)
    return EMPTY[hint]


def emptiest(kind: type[records.Record], *, absent: bool = False) -> Any:
    """Make a record of empty values; with `absent`, its optional fields are left at `None`."""
    hints = get_type_hints(kind)
    return kind(
        **{name: empty(hints[name]) for name in kind.__struct_fields__ if not (absent and optional(hints[name]))}
    )


def on_the_wire(kind: type[records.Record]) -> dict[str, str]:
    """Give the key of each field."""
    return dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))


def fields() -> list[tuple[type[records.Record], str]]:
    return [(kind, name) for kind in TYPES for name in kind.__struct_fields__]


def test_there_are_records_to_look_at() -> None:
    assert {"EvidenceRecord", "ScoredRun", "SftSample", "Receipt", "RunSummary", "GateVerdicts"} <= {
        kind.__name__ for kind in TYPES
    }


@pytest.mark.parametrize(("kind", "name"), fields(), ids=lambda case: getattr(case, "__name__", case))
def test_an_empty_value_is_written_and_comes_back(kind: type[records.Record], name: str) -> None:
    record = emptiest(kind)
    written = json.loads(encode(record))
    back = getattr(msgspec.json.decode(encode(record), type=kind), name)
    value = getattr(record, name)
    assert on_the_wire(kind)[name] in written
    assert back == value
    assert type(back) is type(value)
    if not isinstance(value, msgspec.Struct):
        assert written[on_the_wire(kind)[name]] == value


@pytest.mark.parametrize("kind", TYPES)
def test_an_absent_value_is_left_out_and_comes_back_as_none(kind: type[records.Record]) -> None:
    record = emptiest(kind, absent=True)
    line = encode(record)
    hints = get_type_hints(kind)
    left_out = {name for name in kind.__struct_fields__ if optional(hints[name])}
    assert set(json.loads(line)) == set(kind.__struct_fields__) - left_out
    back = msgspec.json.decode(line, type=kind)
    assert all(getattr(back, name) is None for name in left_out)
    assert encode(back) == line


@pytest.mark.parametrize("kind", TYPES)
def test_a_field_that_may_be_absent_defaults_to_none_and_no_other_has_a_default(kind: type[records.Record]) -> None:
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        assert field.default_factory is msgspec.NODEFAULT
        assert (field.default is None) == optional(hints[field.name]), field.name
        assert field.default in (None, msgspec.NODEFAULT)


@pytest.mark.parametrize("kind", TYPES)
def test_keys_stand_in_declared_order(kind: type[records.Record]) -> None:
    declared = [on_the_wire(kind)[name] for name in inspect.get_annotations(kind)]
    assert list(json.loads(encode(emptiest(kind)))) == declared


def test_an_unknown_tag_of_a_validation_error_is_an_error() -> None:
    assert [kind for kind in TYPES if kind not in OPEN] == [records.ValidationError]
    with pytest.raises(msgspec.ValidationError, match="Grammar"):
        msgspec.json.decode(b'{"Grammar":{"reason":"x"}}', type=records.ValidationError)


@pytest.mark.parametrize("kind", OPEN)
def test_an_unknown_field_is_ignored(kind: type[records.Record]) -> None:
    record = emptiest(kind)
    line = encode(record)[:-1] + (b"," if len(encode(record)) > 2 else b"") + b'"later":{"x":[1]}}'
    assert msgspec.json.decode(line, type=kind) == record


@pytest.mark.parametrize("kind", VERSIONED)
@pytest.mark.parametrize("version", [0, 2, "1", None, "audit_baseline.v2"])
def test_an_unknown_version_is_refused_naming_file_and_line(
    tmp_path: Path, kind: type[records.Record], version: Any
) -> None:
    good = json.loads(encode(emptiest(kind)))
    key = "schema_version" if "schema_version" in good else "schema"
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps({**good, key: version}) + "\n")
    reader = JsonlReader(kind).lines(path)
    assert next(reader)[0] == 1
    with pytest.raises(RecordError, match=f"{path}:2") as refused:
        next(reader)
    assert key in str(refused.value)


def test_a_file_of_one_record_with_an_unknown_version_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text(json.dumps({**json.loads(encode(emptiest(records.RunSummary))), "schema_version": 2}))
    with pytest.raises(RecordError, match=r"summary\.json"):
        read_json(path, records.RunSummary)


@pytest.mark.parametrize("number", [1, 1.0, 2**53 + 1, 2**70, 0.1, -0.0, 1e22])
def test_a_number_stays_what_it_was(number: float) -> None:
    override = {"schema": "audit_baseline.v1", "recorded_at": "", "git_commit": "", "run_id": "", "run_hash": ""}
    line = json.dumps({**override, "producer": "", "metrics": {"m": number}}).encode()
    metric = msgspec.json.decode(line, type=records.AuditBaseline).metrics["m"]
    assert repr(metric) == repr(number)
