"""Addresses: what is one, what people see of it, and when others can read what is sent there."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.addresses import asked_host, checked_host, checked_url, other, readable_by_others, without_secret
from lakehouse.errors import UsageError


@pytest.mark.parametrize(
    "host",
    [
        "",
        "gpu",
        "gpu:11434",
        ":11434",
        "0.0.0.0",
        "my_box.local:1",
        "[::1]:11434",
        "http://gpu",
        "https://gpu.example:443/ollama",
        "http://[::1]:11434",
        "http://me:word@gpu:1",
        "me:word@gpu:1",
    ],
)
def test_what_ollama_takes_as_a_host_is_one(host: str) -> None:
    assert checked_host(host) == host


@pytest.mark.parametrize(
    "host",
    [
        "not a url::",
        "localhost:99999",
        "http://[::1",
        "http://host:port",
        "ftp://x",
        "http://",
        "://x",
        "gpu:1:2",
        "::1",
        "http://999.1.1.1",
        "http://gpu[::1]",
        "http://[::1]gpu",
        "http://[gpu]",
        "http://a..b",
        "http://\u00fc.example",
        "http://a\nb",
        "http://me:hidden/word@gpu",
    ],
)
def test_what_is_no_host_is_wrong_usage_that_says_how_to_write_it_and_tells_no_word_of_it(host: str) -> None:
    with pytest.raises(UsageError, match=r"OLLAMA_HOST: .*`OLLAMA_HOST=http://127.0.0.1:11434`") as failed:
        checked_host(host)
    assert failed.value.exit_code == 2
    assert "hidden" not in str(failed.value)


PIECES = st.lists(
    st.sampled_from(
        "http https ftp :// : / // [ ] @ ? # % . .. ::1 127.0.0.1 256.1.1.1 99999 11434 -1 gpu a_b - v1.x %zz".split()
    ),
    max_size=8,
).map("".join)
ODD = st.sampled_from(["", " ", "\n", "\x00", "\u00fc", "\u212a"])


@pytest.mark.skipif(not importlib.util.find_spec("ollama"), reason="the extra `chat` is not installed")
@given(st.builds(str.__add__, PIECES, ODD))
def test_a_host_that_passes_is_one_for_ollamas_client_too(host: str) -> None:
    from lakehouse.clients import ollama_client

    try:
        checked_host(host)
    except UsageError:
        return
    with_all = ollama_client(host, 1.0, {})
    without = ollama_client(checked_host(asked_host(host)), 1.0, {})
    assert with_all._client.base_url == without._client.base_url
    with_all.close()
    without.close()


@pytest.mark.skipif(not importlib.util.find_spec("httpx"), reason="the extra `chat` is not installed")
@given(st.builds(str.__add__, PIECES, ODD))
def test_a_url_that_passes_is_one_for_a_client_too(url: str) -> None:
    import httpx

    try:
        given = checked_url(url, "url", key_env="KEY")
    except UsageError:
        return
    assert httpx.URL(given).userinfo == b""
    assert httpx.URL(given).host


def test_a_password_is_refused_where_a_key_is_sent_and_only_there() -> None:
    with pytest.raises(UsageError, match=r"here: .*in place of the key.*key_env") as failed:
        checked_url("https://me:hidden@host/v1", "here", key_env="KEY")
    assert "hidden" not in str(failed.value)
    assert checked_url("https://me:hidden@host/v1/", "here", key_env="") == "https://me:hidden@host/v1"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://gpu:1", "http://gpu:1"),
        ("https://me:hidden@gpu/ollama", "https://gpu/ollama"),
        ("me:hidden@gpu:1", "gpu:1"),
        ("http://me:hid//den@gpu", "http://gpu"),
        ("http://me:hid@den@gpu", "http://gpu"),
        ("hid://den@gpu", "gpu"),
        ("", "its default address"),
    ],
)
def test_what_may_be_a_password_is_not_shown(address: str, shown: str) -> None:
    assert without_secret(address) == shown


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("", ""),
        ("http://gpu:1", "http://gpu:1"),
        ("http://me:hidden@gpu:1/x", "http://gpu:1/x"),
        ("me:hid@den@gpu", "gpu"),
        ("http://gpu/@v1", "http://gpu/@v1"),
        ("gpu?a@b", "gpu?a@b"),
        ("http://me:hid@gpu/a://b@c", "http://gpu/a://b@c"),
    ],
)
def test_a_host_is_kept_without_what_is_never_sent(host: str, asked: str) -> None:
    assert asked_host(host) == asked


@pytest.mark.parametrize("host", ["http://me:hidden@gpu:port", "http://me:hid/den@gpu", "ftp://me:hidden@gpu"])
def test_what_is_no_host_stays_none_and_keeps_no_word(host: str) -> None:
    assert "hid" not in asked_host(host)
    with pytest.raises(UsageError):
        checked_host(asked_host(host))


@pytest.mark.parametrize(
    ("url", "readable"),
    [
        ("http://gateway.example/v1", True),
        ("http://10.0.0.7:8080", True),
        ("gpu:11434", True),
        ("https://gateway.example", False),
        ("http://127.0.0.1:1", False),
        ("http://127.9.9.9", False),
        ("http://[::1]:1", False),
        ("http://localhost:1", False),
        ("http://api.localhost", False),
        ("http://localhost.example", True),
        (":11434", False),
    ],
)
def test_only_what_leaves_the_machine_unencrypted_can_be_read_by_others(url: str, readable: bool) -> None:
    assert readable_by_others(url) is readable


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://other.example:8443/v1?token=hidden", "https://other.example:8443"),
        ("https://me:hidden@other.example", "https://other.example"),
        ("//other.example/x", "http://other.example"),
        ("http://[::1]:5/x", "http://[::1]:5"),
        ("/v2", "another path of its own"),
        ("", "another path of its own"),
        ("http://[::1", "an address that is none"),
        ("http://a\x1b[2J", "an address that is none"),
    ],
)
def test_of_where_a_server_sends_us_only_the_host_is_told(location: str, told: str) -> None:
    assert other(location) == told
