"""Keys and anchors as a resource: where the environment says they lie, and what the doctor sees."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import UsageError
from resources import subjects as resource
from tests.lakehouse.subjects.conftest import SUBJECT, Desk


@pytest.fixture
def three(tmp_path: Path) -> Desk:
    """A lake with the key k1 and three subjects."""
    desk = Desk(tmp_path)
    desk.key("k1")
    for subject in (SUBJECT, "WORKER-2", "WORKER-3"):
        desk.create(subject)
    return desk


def from_environment(desk: Desk, **more: str) -> resource.SubjectsResource:
    return resource.from_environment({"LAKEHOUSE_KEYS": str(desk.keys), "LAKEHOUSE_ANCHORS": str(desk.anchors), **more})


def test_the_resource_is_where_the_environment_says(
    three: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert from_environment(three).open(three.lake).ids() == [SUBJECT, "WORKER-2", "WORKER-3"]
    monkeypatch.chdir(tmp_path)
    default = resource.from_environment({})
    assert [path.name for path in (default.keys_of(three.lake), default.anchors_of(three.lake))] == [
        f"{three.lake.root.name}-keys",
        f"{three.lake.root.name}-anchors",
    ]
    assert default.keys_of(three.lake).parent == three.lake.root.parent
    with pytest.raises(UsageError, match="outside of the lake"):
        from_environment(three, LAKEHOUSE_KEYS=str(three.lake.root / "keys")).open(three.lake)


def _chmod(desk: Desk) -> Any:
    return (desk.keys / "k1.key").chmod(0o644)


@pytest.mark.parametrize(
    ("do", "ok", "says"),
    [
        (lambda desk: None, True, "3; their keys"),
        (lambda desk: (desk.keys / "k1.key").unlink(), False, "no key 'k1'"),
        (lambda desk: (desk.keys / "k1.key").write_bytes(b"short"), False, "needs 32"),
        (_chmod, True, "others may read"),
        (lambda desk: desk.subjects.manifest_path(SUBJECT).write_bytes(b"{"), False, "manifest.json"),
        (lambda desk: (shutil.rmtree(desk.lake.subjects), shutil.rmtree(desk.anchors)), True, "none yet"),
    ],
)
def test_the_doctor_looks_at_keys_and_manifests(three: Desk, do: Any, ok: bool, says: str) -> None:
    do(three)
    found = resource.look(from_environment(three), three.lake)
    assert (found.ok, says in found.found) == (ok, True), found
    assert found.ok or found.mend
