"""Addresses of servers: what is one, what people see of it, and who could read what is sent there.

Here: text alone, before any client of a server is imported. Not here: asking (`clients.py`), and where an address is set
(`resources/environment.py`, `[chat.providers.<name>]`).
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from lakehouse.errors import UsageError

_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_LONGEST_NAME = 253
_BRACKETED = re.compile(r"\[[^\[\]]+\](?::[0-9]*)?")
_LIKE_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
HOST_VARIABLE = "OLLAMA_HOST"


def checked_url(url: str, where: str, *, key_env: str) -> str:
    """Give a provider's address without the slash at its end. Raises `UsageError` at `where` if it is none.

    A password in the address of a server that gets a key (`key_env`) is refused: the client would send the password in place
    of the key, and say nothing.
    """
    given = url.strip()
    fault = _fault(given)
    if fault:
        raise UsageError(
            f"the address is no URL (https://host/path): it {fault}",
            where=where,
            mend="correct it, or leave it out for the provider's own",
        )
    if key_env and urlsplit(given).username is not None:
        raise UsageError(
            "the address holds a name and a password, which would go out in place of the key",
            where=where,
            mend=f"take them out of the address; the key is looked up under `key_env` ({key_env})",
        )
    return given.rstrip("/")


def checked_host(host: str) -> str:
    """Give the address of an Ollama server as it was written. Raises `UsageError` that names its variable.

    Its client takes what `ollama serve` takes: the scheme, the port or the host may be left out; empty is its default.
    """
    fault = _fault(host, bare=True)
    if fault:
        raise UsageError(
            f"the address of Ollama is none: it {fault}",
            where=HOST_VARIABLE,
            mend=f"write it as in `{HOST_VARIABLE}=http://127.0.0.1:11434`, or unset it for that default",
        )
    return host


def asked_host(host: str) -> str:
    """Give an address of Ollama as it is asked and may be kept: its client sends no name and password that stand in it.

    What is no address stays none.
    """
    if "@" not in host:
        return host
    if _fault(host, bare=True):
        return "(no address)"
    scheme, separator, rest = host.partition("://") if "://" in host else ("", "", host)
    end = min((rest.find(sign) for sign in "/?#" if sign in rest), default=len(rest))
    return scheme + separator + rest[:end].rpartition("@")[2] + rest[end:]


def without_secret(address: str) -> str:
    """Give an address for people to see, a wrong one too: what may be a password is left out."""
    if "@" not in address:
        return address or "its default address"
    begins = [scheme for scheme in ("http://", "https://") if address.startswith(scheme)]
    return "".join(begins) + address.rpartition("@")[2]


def readable_by_others(url: str) -> bool:
    """Say whether what is sent to a checked address crosses a network unencrypted."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    host = parts.hostname or "localhost"
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def other(location: str) -> str:
    """Give the scheme and host that a server sends its callers to, to be shown; nothing else of what it wrote."""
    if not location.isascii() or not location.isprintable():
        return "an address that is none"
    try:
        parts = urlsplit(location)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "an address that is none"
    if not host:
        return "another path of its own"
    return f"{parts.scheme or 'http'}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def _fault(address: str, *, bare: bool = False) -> str:
    """Say what is wrong with an address, empty where nothing is; never what stands in it. `bare`: parts may be left out."""
    if bare and not address:
        return ""
    if not (address.isascii() and address.isprintable()) or " " in address:
        return "holds spaces or signs that no address has"
    scheme, separator, rest = address.partition("://")
    if not separator and bare:
        scheme, rest = "http", address
    elif not separator or scheme not in {"http", "https"}:
        return "does not begin with http:// or https://"
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        _ = parts.port
    except ValueError:
        return "has a port that is no number up to 65535, or a bracket too many"
    return "" if _is_host(parts, empty=bare and not separator) else "names no host"


def _is_host(parts: SplitResult, *, empty: bool) -> bool:
    host, written = parts.hostname or "", parts.netloc.rpartition("@")[2]
    if ("[" in parts.netloc or "]" in parts.netloc) and not _BRACKETED.fullmatch(written):
        return False
    if ":" in host or _LIKE_IPV4.fullmatch(host):
        try:
            ip_address(host)
        except ValueError:
            return False
        return True
    return bool(_NAME.fullmatch(host) and len(host) <= _LONGEST_NAME) or (empty and not host)
