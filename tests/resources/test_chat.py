"""Chat as a resource: what the environment says reaches it, and no key is a field of it."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse.lake import Lake
from resources import embedder
from resources.chat import ChatResource, from_environment, look
from resources.environment import VARIABLES, shown

SECRET = "sk-planted-4c1e"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "lake").mkdir()
    return Lake(tmp_path / "lake")


def says(lake: Lake, text: str) -> Lake:
    lake.toml.write_text(text)
    return Lake(lake.root)


def test_the_environment_names_the_host_the_file_and_the_models_of_tiers() -> None:
    given = {
        "OLLAMA_HOST": "http://gpu:1",
        "LAKEHOUSE_ENV_FILE": "/etc/keys.env",
        "LAKEHOUSE_MODEL": "a",
        "LAKEHOUSE_MODEL_LOCAL_JUDGE": "b",
        "LAKEHOUSE_MODEL_LOCAL_FAST": "c",
        "LAKEHOUSE_MODEL_CLOUD_STRONG": "d",
    }
    named = from_environment(given)
    assert (named.ollama_host, named.env_file) == ("http://gpu:1", "/etc/keys.env")
    assert named.models == {"default": "a", "local_judge": "b", "local_fast": "c", "cloud_strong": "d"}
    default = from_environment({})
    assert (default.ollama_host, default.env_file, default.models) == ("http://127.0.0.1:11434", ".env", {})


def test_the_password_of_ollamas_address_is_in_no_field() -> None:
    environ = {"OLLAMA_HOST": "http://me:hidden-word@gpu:1"}
    assert from_environment(environ).ollama_host == "http://gpu:1"
    assert embedder.from_environment(environ).host == "http://gpu:1"


def test_a_model_of_the_environment_beats_the_lakes(lake: Lake) -> None:
    said = says(lake, '[models]\nlocal_judge = "file"\nlocal_fast = "file"\n')
    with from_environment({"LAKEHOUSE_MODEL_LOCAL_JUDGE": "environ"}).open(said, environ={}) as chat:
        assert (chat.resolve("local_judge").model, chat.resolve("local_fast").model) == ("environ", "file")


def test_keys_are_read_when_it_is_opened_and_shown_in_no_configuration(lake: Lake) -> None:
    environ = {"KIMI_API_KEY": SECRET}
    resource = from_environment(environ)
    assert SECRET not in f"{resource!r} {resource.model_dump()} {resource.model_dump_json()}"
    with resource.open(lake, environ=environ) as chat:
        assert chat.available("kimi")
        assert SECRET not in f"{chat.providers()} {vars(chat)}"
    with resource.open(lake, environ={}) as chat:
        assert not chat.available("kimi")


def test_every_key_is_masked_where_variables_are_shown() -> None:
    secrets = {one.name for one in VARIABLES if one.secret}
    assert secrets >= {"OLLAMA_API_KEY", "OPENROUTER_API_KEY", "OPENCODE_API_KEY", "KIMI_API_KEY"}
    for one in VARIABLES:
        if one.name.endswith("_API_KEY"):
            assert shown(one, {one.name: SECRET}) == "***"


def test_a_key_may_stand_in_the_file_that_the_environment_names(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "keys.env"
    file.write_text(f"KIMI_API_KEY={SECRET}\n")
    with from_environment({"LAKEHOUSE_ENV_FILE": str(file)}).open(lake, environ={}) as chat:
        assert chat.available("kimi")


def test_an_asset_gets_it_as_a_resource(lake: Lake) -> None:
    @dg.asset
    def asked(chat: ChatResource) -> None:
        with chat.open(lake, environ={}) as asking:
            assert asking.available("extractive")

    assert dg.materialize([asked], resources={"chat": ChatResource(models={"default": "x"})}).success


@pytest.mark.parametrize("host", ["not a url::", "localhost:99999", "http://[::1", "http://host:port", "ftp://x"])
def test_an_address_of_ollama_that_is_none_is_told_even_where_nobody_asks_it(lake: Lake, host: str) -> None:
    found = look(ChatResource(env_file="", ollama_host=host), lake, {})
    assert (found.ok, found.found.startswith("OLLAMA_HOST: ")) == (False, True)
    assert "OLLAMA_HOST=http" in found.mend


def test_a_key_that_goes_out_unencrypted_is_told_and_not_red(lake: Lake) -> None:
    says(lake, '[chat.providers.kimi]\nurl = "http://gateway.example/v1"\n')
    found = look(ChatResource(env_file=""), lake, {"KIMI_API_KEY": SECRET})
    assert (found.ok, "kimi gets its key and every prompt unencrypted" in found.found) == (True, True)


def test_a_lake_that_names_nobody_is_healthy_without_any_key(lake: Lake) -> None:
    found = look(ChatResource(env_file=""), lake, {})
    assert found.ok
    assert found.found == "configured: ollama, extractive; not asked (`lakehouse models --probe` asks)"
    assert "lakehouse models" in found.mend


@pytest.mark.parametrize(
    ("text", "environ", "names"),
    [
        ('[models]\nlocal_judge = "kimi/x"\n', {}, "KIMI_API_KEY is not set"),
        ('[replay]\nstronger = "openrouter/a/b"\n', {}, "OPENROUTER_API_KEY is not set"),
        ("", {"LAKEHOUSE_MODEL_CLOUD_STRONG": "opencode/x"}, "OPENCODE_API_KEY is not set"),
        ("[chat.providers.openai]\n", {}, "there is no provider 'openai'"),
        ('[models]\na = "b"\nb = "a"\n', {}, "circle"),
    ],
)
def test_a_model_that_is_named_and_cannot_be_asked_is_told(lake: Lake, text: str, environ: Any, names: str) -> None:
    resource = from_environment(environ).model_copy(update={"env_file": ""})
    found = look(resource, says(lake, text), {})
    assert (found.ok, names in found.found, bool(found.mend)) == (False, True, True), found
    assert SECRET not in found.found
