"""The registry: who can be asked, by name and without asking; who cannot is an error and never somebody else."""

from pathlib import Path
from typing import Any

import pytest

from lakehouse.chat import places
from lakehouse.chat.answer import ChatError
from lakehouse.errors import UsageError
from lakehouse.settings import ChatSettings, ProviderSettings, Settings

MESSAGES = [{"role": "user", "content": "Who?"}]
NEED_KEYS = {
    "ollama_cloud": ("x:cloud", "OLLAMA_API_KEY"),
    "openrouter": ("openrouter/a/b", "OPENROUTER_API_KEY"),
    "opencode": ("opencode/x", "OPENCODE_API_KEY"),
    "kimi": ("kimi/x", "KIMI_API_KEY"),
}


@pytest.mark.parametrize("provider", NEED_KEYS)
def test_a_provider_without_its_key_is_an_error_that_says_where_it_was_looked_for_and_nobody_is_asked(
    models: Any, opened: Any, tmp_path: Path, provider: str
) -> None:
    name, variable = NEED_KEYS[provider]
    chat = opened(environ={}, env_file=tmp_path / ".env")
    with pytest.raises(ChatError) as failed:
        chat(MESSAGES, name)
    error = failed.value
    assert error.kind == "provider_not_configured"
    assert f"{variable} is set neither in the environment nor in {tmp_path / '.env'}" in error.what
    assert error.mend == f"export {variable}=…, or write `{variable}=…` into {tmp_path / '.env'}"
    assert models.requests == []
    assert not chat.available(provider)


def test_availability_goes_by_the_name_of_the_provider_and_asks_nobody(models: Any, opened: Any) -> None:
    chat = opened(environ={"KIMI_API_KEY": "k"})
    found = {name: chat.available(name) for name in ("ollama", "extractive", "kimi", "openrouter", "kimi/probe", "")}
    assert found == {
        "ollama": True,
        "extractive": True,
        "kimi": True,
        "openrouter": False,
        "kimi/probe": False,
        "": False,
    }
    assert models.requests == []


def test_a_renamed_key_is_looked_up_under_its_new_name_in_both_places(models: Any, opened: Any, tmp_path: Path) -> None:
    own = tmp_path / "kimi.env"
    own.write_text("MY_KIMI=from-file\n")
    settings = Settings(
        chat=ChatSettings(
            providers={"kimi": ProviderSettings(url=f"{models.url}/v1", key_env="MY_KIMI", env_file="kimi.env")}
        )
    )
    chat = opened(settings, {"KIMI_API_KEY": "old"}, folder=tmp_path)
    chat(MESSAGES, "kimi/kimi-k2.6")
    assert models.last.headers["authorization"] == "Bearer from-file"
    opened(settings, {"MY_KIMI": "from-environment"}, folder=tmp_path)(MESSAGES, "kimi/kimi-k2.6")
    assert models.last.headers["authorization"] == "Bearer from-environment"


def test_every_provider_is_listed_with_where_it_answers_and_what_it_lacks(opened: Any) -> None:
    states = {one.name: one for one in opened(Settings(), {"KIMI_API_KEY": "k"}).providers()}
    assert list(states) == ["ollama", "ollama_cloud", "openrouter", "opencode", "kimi", "extractive"]
    assert states["kimi"].where == "https://api.kimi.com/coding/v1, KIMI_API_KEY in the environment"
    assert states["openrouter"].where == "https://openrouter.ai/api/v1"
    assert states["opencode"].where == "https://opencode.ai/zen/v1"
    assert states["ollama_cloud"].where == "https://ollama.com"
    assert states["openrouter"].why_not == "OPENROUTER_API_KEY is not set in the environment"
    assert states["openrouter"].mend == "export OPENROUTER_API_KEY=…"


def test_a_password_in_an_address_is_shown_nowhere(models: Any, opened: Any) -> None:
    models.close()
    host = models.url.replace("//", "//me:hidden-word@")
    chat = opened(ollama_host=host)
    with pytest.raises(ChatError) as failed:
        chat(MESSAGES, "x")
    assert "hidden-word" not in f"{failed.value!r} {chat.providers()} {chat.probe('ollama')}"


def test_without_its_package_a_provider_names_the_extra(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "installed", lambda *packages: "openai" not in packages)
    chat = opened()
    with pytest.raises(ChatError, match=r"needs the package openai.*lakehouse-dagster\[chat\]") as failed:
        chat(MESSAGES, "kimi/x")
    assert failed.value.kind == "provider_not_configured"
    assert chat.available("ollama")


@pytest.mark.parametrize(
    ("providers", "says"),
    [
        ({"openai": ProviderSettings()}, "there is no provider 'openai'"),
        ({"kimi": ProviderSettings(url="api.kimi.com")}, r"\[chat.providers.kimi\] url: the address is no URL"),
        ({"kimi": ProviderSettings(url="file:///etc")}, "no URL"),
        ({"kimi": ProviderSettings(url="https://")}, "no URL"),
        ({"kimi": ProviderSettings(url="https://host:99999/v1")}, "no URL"),
        ({"kimi": ProviderSettings(url="https://[::1/v1")}, "no URL"),
        ({"kimi": ProviderSettings(url="https://me:hidden-word@host/v1")}, r"chat.providers.kimi\] url.*key_env"),
        (
            {"ollama": ProviderSettings(url="https://me:hidden-word@host", key_env="MY_GATE")},
            r"in place of the key.*MY_GATE",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_wrong_usage(opened: Any, providers: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says) as failed:
        opened(Settings(chat=ChatSettings(providers=providers)))
    assert "hidden-word" not in str(failed.value)


@pytest.mark.parametrize("host", ["not a url::", "localhost:99999", "http://[::1", "http://host:port", "ftp://x"])
def test_a_local_server_at_no_address_is_wrong_usage_and_the_others_are_asked(
    models: Any, opened: Any, host: str
) -> None:
    chat = opened(ollama_host=host)
    with pytest.raises(UsageError, match=r"OLLAMA_HOST: .*write it as in `OLLAMA_HOST=http://127.0.0.1:11434`"):
        chat(MESSAGES, "qwen2.5")
    with pytest.raises(UsageError, match="OLLAMA_HOST"):
        chat.require("default")
    (state,) = [one for one in chat.providers() if one.name == "ollama"]
    assert (state.configured, "OLLAMA_HOST" in state.mend, chat.probe("ollama").ok) == (False, True, False)
    assert models.requests == []
    assert chat(MESSAGES, "cloud_strong").content == "Hello."


def test_the_lakes_address_of_the_local_server_beats_a_wrong_one(models: Any, opened: Any) -> None:
    settings = Settings(chat=ChatSettings(providers={"ollama": ProviderSettings(url=models.url)}))
    assert opened(settings, ollama_host="ftp://x")(MESSAGES, "qwen2.5").content == "Hello."


def test_a_password_in_the_local_servers_address_is_not_in_the_way(models: Any, opened: Any) -> None:
    host = models.url.replace("//", "//me:hidden-word@")
    assert opened(ollama_host=host)(MESSAGES, "qwen2.5").content == "Hello."
    assert "authorization" not in models.last.headers


def test_a_key_that_others_can_read_on_its_way_is_warned_of(opened: Any) -> None:
    providers = {
        "kimi": ProviderSettings(url="http://gateway.example/v1"),
        "openrouter": ProviderSettings(url="http://10.0.0.7:8080/v1"),
        "opencode": ProviderSettings(url="http://localhost:8080/v1"),
    }
    chat = opened(Settings(chat=ChatSettings(providers=providers)), ollama_host="http://gpu.example")
    warned = {one.name: one.warning for one in chat.providers() if one.warning}
    assert list(warned) == ["openrouter", "kimi"]
    assert "http://gateway.example/v1" in warned["kimi"]
    # Without a key there is none to be read.
    unset = opened(Settings(chat=ChatSettings(providers=providers)), {}, ollama_host="http://gpu.example")
    assert [one.name for one in unset.providers() if one.warning] == []


def test_a_probe_asks_once_and_names_what_is_there(models: Any, chat: Any, waits: Any, fault: Any) -> None:
    for provider in ("ollama", "ollama_cloud", "openrouter", "opencode", "kimi"):
        found = chat.probe(provider)
        assert (found.ok, "lists 5 models" in found.found) == (True, True), found
    models.faults = [fault(500)]
    assert chat.probe("kimi").ok is False
    models.faults = [fault(401)]
    assert "key" in chat.probe("kimi").mend
    models.faults = [fault(200, b"[]")]
    assert chat.probe("openrouter").ok is False
    models.close()
    assert "`ollama serve`" in chat.probe("ollama").mend
    assert waits == []
    assert chat.probe("extractive") == (True, "asks no server", "")


def test_a_local_server_without_models_is_told_what_to_pull(models: Any, chat: Any) -> None:
    models.models = set()
    assert (chat.probe("ollama").ok, "ollama pull" in chat.probe("ollama").mend) == (False, True)


def test_require_looks_at_a_model_or_tier_without_asking(models: Any, opened: Any) -> None:
    chat = opened(Settings(models={"cloud_strong": "kimi/x"}), {})
    assert chat.require("default") == "ollama"
    with pytest.raises(ChatError, match="KIMI_API_KEY"):
        chat.require("cloud_strong")
    assert models.requests == []


def test_the_tiers_are_listed_with_who_names_them(opened: Any) -> None:
    tiers = opened(Settings(models={"mine": "kimi/x"}), models={"local_judge": "j"}).tiers()
    assert list(tiers) == ["default", "local_fast", "local_judge", "cloud_strong", "mine"]
    assert tiers["local_judge"] == ("j", "tier local_judge: the environment")


def test_many_threads_share_one_client_per_provider(models: Any, chat: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: chat(MESSAGES, "qwen2.5").content, range(40)))
    assert answers == ["Hello."] * 40


def test_opening_and_listing_import_no_client() -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from lakehouse.chat.registry import open_chat\n"
        "from lakehouse.settings import Settings\n"
        "chat = open_chat(Settings(), {}, env_file=None, ollama_host='', sleep=print, jitter=float)\n"
        "chat.providers(); chat.tiers(); chat.available('kimi')\n"
        "sys.exit(str({'openai', 'ollama', 'httpx', 'dotenv', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"
