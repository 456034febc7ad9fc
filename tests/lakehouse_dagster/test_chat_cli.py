"""`lakehouse chat` and `lakehouse models`: what they print, and how they end."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lakehouse.chat.conftest import FakeModels
from tests.lakehouse_dagster.conftest import Shell

SECRET = "sk-planted-0aa7"


@pytest.fixture
def models() -> Iterator[FakeModels]:
    if not all(importlib.util.find_spec(name) for name in ("ollama", "openai")):
        pytest.skip("the extra `chat` is not installed")
    server = FakeModels()
    yield server
    server.close()


@pytest.fixture
def shell(shell: Shell, models: FakeModels, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """`lakehouse` where Ollama is the fake server and no key is set."""
    monkeypatch.setenv("OLLAMA_HOST", models.url)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return shell


def test_the_answer_is_all_that_stands_on_standard_output(shell: Shell, models: FakeModels) -> None:
    models.says = "[bold]Ann[/bold] :smile:\nand Ben."
    done = shell("chat", "Who?", "--system", "Be short.", "--max-tokens", "9")
    assert (done.code, done.out) == (0, "[bold]Ann[/bold] :smile:\nand Ben.\n"), done.err
    assert "qwen2.5:latest of ollama (tier default: built in, tier local_fast: built in)" in done.err
    assert "7 + 3 tokens, stop" in done.err
    assert models.last.body["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Who?"},
    ]
    assert models.last.body["options"]["num_predict"] == 9


def test_machines_get_the_whole_answer_and_who_named_the_model(shell: Shell, models: FakeModels) -> None:
    models.reason = "length"
    done = shell("chat", "Who?", "--model", "ollama/qwen3.5", "--format", "json", "--think", "--json")
    assert done.code == 0, done.err
    assert done.json["asked"] == {"model": "ollama/qwen3.5", "source": "as asked"}
    answer = done.json["answer"]
    assert (answer["content"], answer["provider"], answer["model"]) == ("Hello.", "ollama", "qwen3.5")
    assert (answer["finish_reason"], answer["prompt_tokens"], answer["completion_tokens"]) == ("length", 7, 3)
    assert (models.last.body["format"], models.last.body["think"]) == ("json", True)


def test_an_answer_that_was_cut_off_says_so(shell: Shell, models: FakeModels) -> None:
    models.reason = "length"
    assert "--max-tokens allows more" in shell("chat", "Who?").err


def test_a_model_cannot_steer_the_terminal(shell: Shell, models: FakeModels) -> None:
    models.says = "a\x1b[2Jb\tc\rd"
    assert shell("chat", "Who?").out == "a\N{REPLACEMENT CHARACTER}[2Jb\tc\N{REPLACEMENT CHARACTER}d\n"


def test_a_prompt_may_come_from_standard_input(shell: Shell, models: FakeModels) -> None:
    assert shell("chat", "-", stdin=b"Who is\nthere?").code == 0
    assert models.last.body["messages"][0]["content"] == "Who is\nthere?"


def test_a_flag_beats_the_environment_beats_the_file(
    shell: Shell, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("data").mkdir()
    Path("data/lakehouse.toml").write_text('[models]\ndefault = "qwen3.5:latest"\nmine = "kimi-k2.6"\n')
    assert shell("chat", "Who?", "--json").json["answer"]["model"] == "qwen3.5:latest"
    assert shell("chat", "Who?", "--model", "mine", "--json").json["answer"]["model"] == "kimi-k2.6"
    monkeypatch.setenv("LAKEHOUSE_MODEL", "vendor/model")
    assert shell("chat", "Who?", "--json").json["answer"]["model"] == "vendor/model"
    assert shell("chat", "Who?", "--model", "qwen2.5", "--json").json["answer"]["model"] == "qwen2.5"


def test_without_a_server_the_error_says_who_where_and_how_to_start_it(shell: Shell, models: FakeModels) -> None:
    models.close()
    done = shell("chat", "Who?", "--json")
    assert done.code == 3
    error = done.json["error"]
    assert error["where"] == f"ollama at {models.url}, model qwen2.5:latest"
    assert "`ollama serve`" in error["mend"]
    assert "`ollama pull qwen2.5:latest`" in error["mend"]
    assert models.url in done.err


def test_without_its_key_a_provider_is_not_asked_and_nobody_else_is(shell: Shell, models: FakeModels) -> None:
    done = shell("chat", "Who?", "--model", "openrouter/vendor/model")
    assert (done.code, done.out) == (3, "")
    assert "OPENROUTER_API_KEY is set neither in the environment nor in .env" in done.err
    assert models.requests == []


def test_a_key_in_dotenv_is_used_and_never_shown(shell: Shell, models: FakeModels) -> None:
    Path(".env").write_text(f"KIMI_API_KEY={SECRET}\n")
    Path("data").mkdir()
    Path("data/lakehouse.toml").write_text(f'[chat.providers.kimi]\nurl = "{models.url}/v1"\n')
    for arguments in (
        ["chat", "Who?", "-m", "kimi/kimi-k2.6"],
        ["models", "--probe"],
        ["chat", "Who?", "-m", "kimi/x"],
    ):
        for more in ([], ["--json"]):
            done = shell(*arguments, *more)
            assert SECRET not in done.out + done.err
    assert models.last.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chat", " "], "nothing to ask"),
        (["chat", "a", "--format", "xml"], "--format: is 'xml'. To mend it: `--format json`"),
        (["chat", "a", "--model", "extractive"], "write `extractive/rag`"),
        (["chat", "a", "--max-tokens", "0"], "--max-tokens"),
        (["chat", "a", "--model", "kimi/"], "names no model"),
        (["chat", "a", "--lake", "nowhere"], "there is no lake here"),
    ],
)
def test_wrong_usage_ends_with_2_and_asks_nobody(
    shell: Shell, models: FakeModels, arguments: list[str], says: str
) -> None:
    done = shell(*arguments)
    assert (done.code, says in done.err) == (2, True), done.err
    assert models.requests == []


WRONG_HOSTS = ["not a url::", "localhost:99999", "http://[::1", "http://host:port", "ftp://x"]


@pytest.mark.parametrize("host", WRONG_HOSTS)
def test_an_address_of_ollama_that_is_none_ends_with_2_and_the_doctor_is_red(
    shell: Shell, models: FakeModels, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    done = shell("chat", "Who?")
    assert (done.code, done.out) == (2, "")
    assert "OLLAMA_HOST: " in done.err
    assert "OLLAMA_HOST=http://127.0.0.1:11434" in done.err
    (found,) = [one for one in shell("doctor", "--json").json["health"] if one["what"] == "chat"]
    assert (found["ok"], "OLLAMA_HOST" in found["found"]) == (False, True)
    done = shell("models", "--json")
    (ollama,) = [one for one in done.json["providers"] if one["name"] == "ollama"]
    assert (done.code, ollama["configured"]) == (0, False)


def test_the_password_of_ollamas_address_is_shown_nowhere(
    shell: Shell, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", models.url.replace("//", "//me:hidden-word@"))
    assert shell("chat", "Who?").code == 0
    models.close()
    for arguments in (["doctor"], ["models", "--probe"], ["chat", "Who?"]):
        for more in ([], ["--json"]):
            done = shell(*arguments, *more)
            assert "hidden-word" not in done.out + done.err


def test_a_blank_answer_is_no_success(shell: Shell, models: FakeModels) -> None:
    models.says = " \n"
    done = shell("chat", "Who?")
    assert (done.code, done.out, "without a word" in done.err) == (3, "", True)


def test_a_key_on_an_open_road_is_warned_of_on_standard_error(shell: Shell, models: FakeModels) -> None:
    Path(".env").write_text(f"KIMI_API_KEY={SECRET}\n")
    Path("data").mkdir()
    Path("data/lakehouse.toml").write_text('[chat.providers.kimi]\nurl = "http://gateway.invalid/v1"\n')
    warning = "warning: kimi gets its key and every prompt unencrypted, at http://gateway.invalid/v1: use https\n"
    assert shell("models").err == warning
    assert shell("models", "--json").err == warning
    assert shell("chat", "Who?").err.startswith("warning") is False


def test_passages_answer_without_any_model(shell: Shell, models: FakeModels) -> None:
    from lakehouse.chat.passages import Passage, bundle

    context = bundle([Passage("rag-7", "rag", 0.1, "Welders need AWS D1.1.")])
    done = shell("chat", f"{context}\n\nWhat do welders need?", "--model", "extractive/rag")
    assert (done.code, models.requests) == (0, [])
    assert done.out.endswith("[rag-7, rag] Welders need AWS D1.1.\n")


def test_passages_of_a_lake_without_an_export_say_what_to_run(shell: Shell) -> None:
    done = shell("chat", "What do welders need?", "--model", "extractive/rag")
    assert done.code == 3
    assert "lakehouse distill" in done.err


def test_models_shows_tiers_and_what_each_provider_lacks_without_asking(shell: Shell, models: FakeModels) -> None:
    done = shell("models", "--json")
    assert (done.code, models.requests) == (0, [])
    assert done.json["tiers"]["local_judge"]["source"] == "tier local_judge: built in"
    providers = {one["name"]: one for one in done.json["providers"]}
    assert [name for name, one in providers.items() if one["configured"]] == ["ollama", "extractive"]
    assert providers["kimi"]["mend"] == "export KIMI_API_KEY=…, or write `KIMI_API_KEY=…` into .env"
    for_people = shell("models")
    assert "configured; not asked" in for_people.out
    assert "KIMI_API_KEY" in for_people.out
    assert "--probe" in for_people.out


def test_a_probe_says_which_servers_answer_and_how_to_start_those_that_do_not(shell: Shell, models: FakeModels) -> None:
    done = shell("models", "--probe", "--json")
    (ollama,) = [one for one in done.json["providers"] if one["name"] == "ollama"]
    assert (done.code, ollama["reached"]["ok"]) == (0, True)
    models.close()
    done = shell("models", "--probe")
    assert (done.code, "`ollama serve`" in done.out) == (3, True)


@pytest.mark.parametrize("command", ["chat", "models"])
def test_each_command_has_help_with_an_example_and_speaks_json(shell: Shell, command: str) -> None:
    done = shell(command, "--help")
    assert f"Example: lakehouse {command}" in " ".join(done.out.split())
    assert "--json" in done.out
