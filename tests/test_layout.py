"""The layout: which package may import which, and what every module of the four packages has."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the domain outwards. A package imports itself and those before it, never one after it.
PACKAGES = ("lakehouse", "resources", "assets", "lakehouse_dagster")
# Dagster reads the annotations of `context`, `config` and resources while it builds the definitions; as strings, it
# cannot find the types that are local to a module.
ON_DAGSTER = ("resources", "assets", "lakehouse_dagster")


def modules(root: Path, package: str) -> Iterator[tuple[str, ast.Module]]:
    """Each module of a package: its path below the root, and its tree."""
    for path in sorted((root / package).rglob("*.py")):
        yield str(path.relative_to(root)), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every absolute import, at the top or inside a function: its line and the full name of the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module


def upward_imports(root: Path, package: str) -> list[str]:
    """The imports of a package that it may not have, as `path:line imports module`."""
    forbidden = set(PACKAGES[PACKAGES.index(package) + 1 :])
    if package == "lakehouse":
        forbidden |= {"dagster", "dagster_duckdb"}
    return [
        f"{path}:{line} imports {name}"
        for path, tree in modules(root, package)
        for line, name in imported(tree)
        if name.split(".")[0] in forbidden
    ]


def without_docstring(root: Path, package: str) -> list[str]:
    return [path for path, tree in modules(root, package) if not ast.get_docstring(tree)]


def with_string_annotations(root: Path, package: str) -> list[str]:
    return [
        f"{path}:{line}"
        for path, tree in modules(root, package)
        for line, name in imported(tree)
        if name == "__future__"
    ]


def plant(root: Path, path: str, source: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_modules_to_look_at(package: str) -> None:
    assert list(modules(ROOT, package))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    assert upward_imports(ROOT, package) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_belongs_there(package: str) -> None:
    assert without_docstring(ROOT, package) == []


@pytest.mark.parametrize("package", ON_DAGSTER)
def test_annotations_that_dagster_reads_are_no_strings(package: str) -> None:
    assert with_string_annotations(ROOT, package) == []


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("lakehouse/a.py", "import resources", ["lakehouse/a.py:1 imports resources"]),
        ("lakehouse/a.py", "from assets.daily import evidence", ["lakehouse/a.py:1 imports assets.daily"]),
        ("lakehouse/deep/a.py", "import dagster as dg", ["lakehouse/deep/a.py:1 imports dagster"]),
        ("lakehouse/a.py", "def f():\n    import dagster._utils", ["lakehouse/a.py:2 imports dagster._utils"]),
        ("lakehouse/a.py", "from dagster_duckdb import X", ["lakehouse/a.py:1 imports dagster_duckdb"]),
        ("resources/a.py", "import lakehouse\nimport assets", ["resources/a.py:2 imports assets"]),
        ("assets/a.py", "import lakehouse_dagster.jobs", ["assets/a.py:1 imports lakehouse_dagster.jobs"]),
        ("assets/a.py", "import lakehouse, resources, dagster", []),
        ("lakehouse_dagster/a.py", "import lakehouse, resources, assets, dagster", []),
        ("lakehouse/a.py", "import lakehouse.records\nfrom .assets import one", []),
    ],
)
def test_an_upward_import_is_caught(tmp_path: Path, path: str, source: str, found: list[str]) -> None:
    plant(tmp_path, path, source)
    assert upward_imports(tmp_path, path.split("/")[0]) == found


def test_a_module_without_docstring_is_caught(tmp_path: Path) -> None:
    plant(tmp_path, "assets/bare.py", "x = 1\n")
    assert without_docstring(tmp_path, "assets") == ["assets/bare.py"]


def test_string_annotations_are_caught(tmp_path: Path) -> None:
    plant(tmp_path, "assets/late.py", '"""Late."""\n\nfrom __future__ import annotations\n')
    assert with_string_annotations(tmp_path, "assets") == ["assets/late.py:3"]
