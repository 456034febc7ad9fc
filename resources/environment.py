"""Every environment variable that the project reads: its name, its default and what it means, as data.

Here: the list, and the one way to read a variable. Not here: what a value does. Settings of one lake stand in its
`lakehouse.toml`; variables say where that lake is and where this process runs.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lakehouse.addresses import without_secret


@dataclass(frozen=True)
class Variable:
    """One variable. An empty `default` means that nothing happens without a value; a `secret` is never shown.

    Of an `address` no password is shown that stands in it.
    """

    name: str
    default: str
    meaning: str
    secret: bool = False
    address: bool = False


VARIABLES = (
    Variable("LAKEHOUSE_ROOT", "./data", "The folder of the lake."),
    Variable("LAKEHOUSE_REPORTS", "./reports", "The folder for what runs write for people."),
    Variable(
        "LAKEHOUSE_ENV", "development", "With `production`, the nightly schedule and the sensors on new data are on."
    ),
    Variable(
        "LAKEHOUSE_GIT_COMMIT", "", "The commit that receipts name (40 hex digits), where the code is no git checkout."
    ),
    Variable("LAKEHOUSE_WEBHOOK_URL", "", "Where failed runs and quarantine alarms are posted as JSON.", secret=True),
    Variable(
        "LAKEHOUSE_EMBEDDER",
        "",
        "What embeds texts: `onnx`, `sentence-transformers` or `ollama`. Without it, `onnx` where it can run, else "
        "`sentence-transformers`.",
    ),
    Variable(
        "LAKEHOUSE_EMBEDDING_MODEL", "", "The embedder's model, by name or folder. Without it, the backend's own."
    ),
    Variable(
        "LAKEHOUSE_EMBEDDER_PEER",
        "",
        "A second backend of the same model, which the check `embed_parity` asks as well.",
    ),
    Variable(
        "OLLAMA_HOST",
        "http://127.0.0.1:11434",
        "Where Ollama answers: local models to chat with, and the embedder's backend `ollama`.",
        address=True,
    ),
    Variable("LAKEHOUSE_MODEL", "", "The model that is asked where nothing else is named: the tier `default`."),
    Variable("LAKEHOUSE_MODEL_LOCAL_FAST", "", "The model of the tier `local_fast`."),
    Variable("LAKEHOUSE_MODEL_LOCAL_JUDGE", "", "The model of the tier `local_judge`."),
    Variable("LAKEHOUSE_MODEL_CLOUD_STRONG", "", "The model of the tier `cloud_strong`."),
    Variable("LAKEHOUSE_ENV_FILE", ".env", "A file in which keys are looked up too, after the environment."),
    Variable("OLLAMA_API_KEY", "", "The key of Ollama Cloud.", secret=True),
    Variable("OPENROUTER_API_KEY", "", "The key of OpenRouter.", secret=True),
    Variable("OPENCODE_API_KEY", "", "The key of OpenCode Zen.", secret=True),
    Variable("KIMI_API_KEY", "", "The key of Kimi For Coding.", secret=True),
    Variable(
        "LAKEHOUSE_KEYS",
        "",
        "The folder of the keys that sign the logs of subjects, outside of the lake. Without it, `<lake>-keys` beside the lake.",
    ),
    Variable(
        "LAKEHOUSE_ANCHORS",
        "",
        "The folder of the anchors of these logs, outside of the lake, one for each lake. Without it, `<lake>-anchors` beside "
        "the lake.",
    ),
    Variable("DAGSTER_HOME", "", "Dagster's own folder, absolute. Without it, runs of the command line are not kept."),
)
_BY_NAME = {variable.name: variable for variable in VARIABLES}


def value(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Give a variable's value, its default where it is unset or empty. Only names of `VARIABLES` are known."""
    return environ.get(name, "").strip() or _BY_NAME[name].default


def shown(variable: Variable, environ: Mapping[str, str] = os.environ) -> str:
    """Give a variable's value for people to see: defaults are marked, secrets masked."""
    given = environ.get(variable.name, "").strip()
    if not given:
        return f"{variable.default} (default)" if variable.default else "(not set)"
    if variable.address and "@" in given:
        return f"{without_secret(given)} (what stands before @ is neither shown nor sent)"
    return "***" if variable.secret else given
