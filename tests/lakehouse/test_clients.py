"""The clients of others: variables of their own neither break them nor leave this machine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lakehouse.embedding.backends.ollama import OllamaBackend
from lakehouse.embedding.backends.spec import Options
from lakehouse.errors import OutsideFailure, UsageError
from tests.lakehouse.chat.conftest import FakeModels, Fault

WRONG_HOSTS = ["not a url::", "localhost:99999", "http://[::1", "http://host:port", "ftp://x"]
CLOUD = """
import sys
from lakehouse.chat.registry import open_chat
from lakehouse.settings import ChatSettings, ProviderSettings, Settings

settings = Settings(chat=ChatSettings(providers={"ollama_cloud": ProviderSettings(url=sys.argv[1])}))
more = {"env_file": None, "sleep": print, "jitter": float}
with open_chat(settings, {"OLLAMA_API_KEY": "k"}, ollama_host=sys.argv[2], **more) as chat:
    print(chat([{"role": "user", "content": "Who?"}], "cloud_strong").content)
"""


@pytest.fixture
def models() -> Iterator[FakeModels]:
    if not all(importlib.util.find_spec(name) for name in ("ollama", "openai")):
        pytest.skip("the extra `chat` is not installed")
    server = FakeModels()
    yield server
    server.close()


@pytest.mark.parametrize("host", WRONG_HOSTS)
def test_a_variable_that_breaks_the_import_of_the_package_keeps_nobody_from_asking_the_cloud(
    models: FakeModels, host: str
) -> None:
    # A process of its own, for the package is imported once.
    done = subprocess.run(
        [sys.executable, "-c", CLOUD, models.url, host],
        env={**os.environ, "OLLAMA_HOST": host},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello.\n", "")


def test_errors_are_read_as_ever_where_the_import_of_the_package_failed(models: FakeModels) -> None:
    models.faults = [Fault(401, b'{"error":"who are you"}')]
    done = subprocess.run(
        [sys.executable, "-c", CLOUD, models.url, "localhost:99999"],
        env={**os.environ, "OLLAMA_HOST": "localhost:99999"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the server answers 401: who are you" in done.stderr


@pytest.mark.parametrize("host", WRONG_HOSTS)
def test_the_embedder_at_no_address_is_wrong_usage(models: FakeModels, host: str) -> None:
    with pytest.raises(UsageError, match="OLLAMA_HOST"):
        OllamaBackend("qwen2.5", Options(host=host))


def test_the_key_of_the_cloud_is_not_sent_to_the_host_that_embeds(
    models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "planted-key")
    with pytest.raises(OutsideFailure, match="404"):
        OllamaBackend("qwen2.5", Options(host=models.url, tries=1))
    assert [request.path for request in models.requests] == ["/api/tags", "/api/embed"]
    assert [request.headers.get("authorization") for request in models.requests] == [None, None]


def test_texts_to_embed_do_not_follow_a_redirect(models: FakeModels) -> None:
    other = FakeModels()
    try:
        models.faults = [Fault(307, headers={"Location": f"{other.url}/api/tags"})]
        with pytest.raises(OutsideFailure, match=f"answers 307 and sends us to {other.url}"):
            OllamaBackend("qwen2.5", Options(host=models.url, tries=1))
        assert other.requests == []
    finally:
        other.close()
