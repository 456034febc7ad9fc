"""Keys: both places under the one configured name, and no way to see one."""

import json
import pickle
from pathlib import Path

import pytest

from lakehouse.chat.keys import Key, look_up

SECRET = "sk-planted-91d2"


def test_the_environment_comes_first_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A_KEY=other\n")
    found = look_up("A_KEY", {"A_KEY": f" {SECRET}\n"}, [file]).key
    assert found is not None
    assert (found.reveal(), found.where) == (SECRET, "A_KEY in the environment")


@pytest.mark.parametrize(
    "line",
    [f"A_KEY={SECRET}", f'export A_KEY="{SECRET}"', f"  A_KEY = '{SECRET}'  # mine", f"B=1\r\nA_KEY={SECRET}\r\n"],
)
def test_a_file_is_read_as_dotenv_files_are(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(line, newline="")
    found = look_up("A_KEY", {"A_KEY": " "}, [file]).key
    assert found is not None
    assert (found.reveal(), found.where) == (SECRET, f"A_KEY in {file}")


def test_a_dollar_sign_is_a_part_of_a_key(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A_KEY=a${B}c\n")
    found = look_up("A_KEY", {"B": "b"}, [file]).key
    assert found is not None
    assert found.reveal() == "a${B}c"


def test_the_first_file_that_has_it_counts(tmp_path: Path) -> None:
    files = [tmp_path / "own.env", tmp_path / "none.env", tmp_path / ".env"]
    files[0].write_text("OTHER=1\n")
    files[2].write_text(f"A_KEY={SECRET}\n")
    found = look_up("A_KEY", {}, files)
    assert found.key is not None
    assert found.places == ("the environment", *map(str, files))


def test_a_key_under_another_name_is_not_found_and_every_place_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"OPENROUTER_API_KEY={SECRET}\n")
    found = look_up("MY_KEY", {"OPENROUTER_API_KEY": SECRET}, [file])
    assert found.key is None
    assert found.why_not == f"MY_KEY is set neither in the environment nor in {file}"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    latin = tmp_path / "latin.env"
    latin.write_bytes(b"A_KEY=\xff\n")
    found = look_up("A_KEY", {}, [folder, latin])
    assert found.why_not == (
        f"A_KEY is not set in the environment; {folder} cannot be read (IsADirectoryError); "
        f"{latin} cannot be read (UnicodeDecodeError)"
    )


@pytest.mark.parametrize("bad", [f"{SECRET} {SECRET}", f"{SECRET}\nX: y", f"{SECRET}…"])
def test_what_no_header_can_carry_is_no_key_and_is_not_shown(bad: str) -> None:
    found = look_up("A_KEY", {"A_KEY": bad}, [])
    assert found.key is None
    assert "A_KEY in the environment" in found.why_not
    assert SECRET not in found.why_not


def test_a_key_has_no_form_but_the_one_that_is_asked_for() -> None:
    key = Key(SECRET, "A_KEY in the environment")
    assert SECRET not in f"{key} {key!r} {[key]} {vars(Key)}"
    for write in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as refused:
            write(key)
        assert SECRET not in str(refused.value)
