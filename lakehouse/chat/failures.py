"""What a failed try means to who asked: the kind of the error, and what to do about it.

Here: the words. Not here: which tries are repeated (`lakehouse/upstream.py`).
"""

from __future__ import annotations

from lakehouse.chat.answer import ChatError, Kind
from lakehouse.chat.keys import Key
from lakehouse.chat.providers.ollama import NAME as LOCAL
from lakehouse.chat.providers.spec import ProviderSpec
from lakehouse.upstream import BUSY, MISSING, Failed, How

_BY_HOW: dict[How, Kind] = {
    "unreachable": "unreachable",
    "timeout": "timeout",
    "broken": "upstream",
    "refused": "upstream",
    "elsewhere": "upstream",
    "malformed": "bad_answer",
    "blank": "blank_answer",
}
_BY_STATUS: dict[int, Kind] = {
    401: "unauthorized",
    403: "unauthorized",
    MISSING: "model_not_found",
    BUSY: "rate_limited",
}
_BY_HOW_MENDED: dict[How, str] = {
    "elsewhere": "nobody but the address that is set is asked; if that is the right one, set [chat.providers.{}] url to it",
    "blank": "ask in other words, or another model",
}


def kind_of(failed: Failed) -> Kind:
    """Give the kind of a failure: what its status says, else how it failed."""
    return _BY_STATUS.get(failed.status, _BY_HOW[failed.how])


def error(failed: Failed, spec: ProviderSpec, where: str, key: Key | None, model: str, meant: str = "") -> ChatError:
    """Make the error of the last try. Without a `model`, the server was asked for what it lists.

    `meant` says what else the model's name may have been meant for.
    """
    kind = kind_of(failed)
    asked = f"{spec.name} at {where}" + (f", model {model}" if model else "")
    mend = _BY_HOW_MENDED.get(failed.how, "").format(spec.name) or _mend(kind, spec, key, model)
    if meant and spec.name == LOCAL and kind in {"model_not_found", "unreachable"}:
        mend = f"{meant}; for a local model of that name, {mend}"
    return ChatError.of(kind, f"the server {failed}", where=asked, mend=mend)


def _mend(kind: Kind, spec: ProviderSpec, key: Key | None, model: str) -> str:
    pull = spec.pull.format(model=model or "a model")
    if kind == "unreachable":
        return f"{spec.start}, and get its model: {pull}" if "{model}" in spec.pull and model else spec.start
    if kind == "unauthorized":
        return f"see whether the key is right and may be used for this ({key.where})" if key else "it asks for a key"
    return {
        "model_not_found": pull,
        "rate_limited": "ask later, or more seldom; [chat] tries in lakehouse.toml says how often one call tries",
        "timeout": "raise [chat] timeout in lakehouse.toml, or ask a smaller model",
        "bad_answer": f"see whether what answers there is {spec.title}: [chat.providers.{spec.name}] url may be wrong",
    }.get(
        kind, "ask again later; it is the server's own fault, or its way of saying that it does not take this request"
    )
