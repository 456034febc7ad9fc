"""The code location that `workspace.yaml` loads: the definitions for the lake that the environment names.

Here: reading the environment, once. Not here: what is built from it (`build.py`).
"""

from pathlib import Path

from lakehouse_dagster.build import build_definitions
from resources import chat, embedder, subjects
from resources.environment import value
from resources.lake import given_commit

defs = build_definitions(
    Path(value("LAKEHOUSE_ROOT")),
    Path(value("LAKEHOUSE_REPORTS")),
    production=value("LAKEHOUSE_ENV") == "production",
    commit=given_commit(),
    webhook_url=value("LAKEHOUSE_WEBHOOK_URL"),
    embedder=embedder.from_environment(),
    chat=chat.from_environment(),
    subjects=subjects.from_environment(),
)
