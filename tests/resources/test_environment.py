"""The environment: every variable is listed, and read in one way."""

import re
from pathlib import Path

import pytest

from resources.environment import VARIABLES, Variable, shown, value

ROOT = Path(__file__).parents[2]
PACKAGES = ("lakehouse", "resources", "assets", "lakehouse_dagster")


def test_every_variable_in_the_code_is_listed() -> None:
    listed = {variable.name for variable in VARIABLES}
    found = {
        name
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r"\b(?:LAKEHOUSE_[A-Z_]+|DAGSTER_HOME|OLLAMA_HOST|[A-Z]+_API_KEY)\b", path.read_text())
    }
    assert found == listed


@pytest.mark.parametrize(
    ("environ", "read"), [({}, "./data"), ({"LAKEHOUSE_ROOT": " "}, "./data"), ({"LAKEHOUSE_ROOT": "/lake"}, "/lake")]
)
def test_a_variable_that_is_unset_or_empty_has_its_default(environ: dict[str, str], read: str) -> None:
    assert value("LAKEHOUSE_ROOT", environ) == read


@pytest.mark.parametrize(
    ("variable", "environ", "text"),
    [
        (Variable("A", "x", "m"), {}, "x (default)"),
        (Variable("A", "", "m"), {}, "(not set)"),
        (Variable("A", "x", "m"), {"A": "y"}, "y"),
        (Variable("A", "", "m", secret=True), {"A": "token"}, "***"),
        (Variable("A", "", "m", address=True), {"A": "http://gpu:1"}, "http://gpu:1"),
        (
            Variable("A", "", "m", address=True),
            {"A": "http://me:hidden@gpu:1"},
            "http://gpu:1 (what stands before @ is neither shown nor sent)",
        ),
        (Variable("A", "", "m"), {"A": "/home/@me"}, "/home/@me"),
    ],
)
def test_what_people_see_of_a_variable(variable: Variable, environ: dict[str, str], text: str) -> None:
    assert shown(variable, environ) == text


def test_the_password_of_a_server_is_shown_in_no_table() -> None:
    for variable in VARIABLES:
        if variable.name.endswith("_HOST"):
            assert "hidden" not in shown(variable, {variable.name: "http://me:hidden@gpu:1"})
