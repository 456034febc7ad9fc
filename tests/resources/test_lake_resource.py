"""The lake as a resource: a plain lake, and runs with clock and commit."""

from datetime import UTC
from pathlib import Path

import pytest

from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from resources.lake import LakeResource, git_commit, given_commit, utc_now


def test_it_hands_over_a_plain_lake_at_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert LakeResource(root="data", reports="reports").open() == Lake(tmp_path / "data")


def test_a_run_has_its_id_its_commit_and_its_folder(tmp_path: Path) -> None:
    run = LakeResource(root=str(tmp_path), reports=str(tmp_path / "r"), commit="a" * 40).run("run-1")
    assert (run.run_id, run.git_commit) == ("run-1", "a" * 40)
    assert run.folder == tmp_path / "r" / "distillation" / "run-1"


def test_settings_are_read_anew_by_each_step(tmp_path: Path) -> None:
    resource = LakeResource(root=str(tmp_path), reports=str(tmp_path))
    before = resource.open().settings.first_day
    (tmp_path / "lakehouse.toml").write_text("first_day = 2026-05-02\n")
    assert (before, resource.open().settings.first_day) == (None, "2026-05-02")


def test_the_clock_is_utc() -> None:
    assert utc_now().tzinfo is UTC


@pytest.mark.parametrize("given", ["f" * 40, ""])
def test_the_commit_of_the_environment_is_taken_as_given(given: str) -> None:
    assert given_commit({"LAKEHOUSE_GIT_COMMIT": given}) == given


@pytest.mark.parametrize("given", ["main", "F" * 40, "a" * 39])
def test_what_is_no_commit_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="is no commit"):
        given_commit({"LAKEHOUSE_GIT_COMMIT": given})


def test_the_commit_is_40_hex_digits_wherever_the_code_lies() -> None:
    assert len(git_commit({})) == 40
    assert set(git_commit({})) <= set("0123456789abcdef")


def test_the_given_commit_wins_over_that_of_the_checkout() -> None:
    assert git_commit({"LAKEHOUSE_GIT_COMMIT": "b" * 40}) == "b" * 40
