"""The asset graph as the UI shows it: groups, keys, dependencies, and what every asset must say of itself."""

import dagster as dg
import pytest

from assets.corpora import asset_name
from lakehouse.corpora.registry import CORPORA as REGISTRY
from lakehouse.parity.probes.embed import can_run
from tests.conftest import TinyLake

STREAMS = [
    "agent_runs",
    "audit_facts",
    "audits",
    "auto_apply",
    "contract_analyses",
    "distilled_config_hints",
    "distilled_facts",
    "distilled_procedures",
    "mode_experiments",
    "observer_escalations",
    "observer_reviews",
    "outcomes",
    "scrum_reviews",
]
KB = [f"kb/{name}" for name in STREAMS]
SOURCES = ["kb/workers", "kb/ethereal_workers", "kb/fresh_workers", "kb/playbooks"]
LOGS = ["kb/sessions", "subjects"]
CORPORA = {
    "workers_corpus": "kb/workers",
    "ethereal_workers_corpus": "kb/ethereal_workers",
    "fresh_workers_corpus": "kb/fresh_workers",
    "rag_corpus": "rag_export",
    "playbook_corpus": "kb/playbooks",
}

GRAPH = {
    **{name: ("streams", [], False) for name in KB},
    "line_index": ("streams", KB, False),
    "evidence": ("distillation", sorted([*KB, "line_index"]), True),
    "scored_runs": ("distillation", ["evidence"], True),
    "sft_samples": ("distillation", ["evidence", "scored_runs"], True),
    "rag_chunks": ("distillation", ["evidence", "scored_runs"], True),
    "sft_export": ("exports", ["sft_samples"], False),
    "rag_export": ("exports", ["rag_chunks"], False),
    "preference_export": ("exports", ["sft_samples"], False),
    "release": ("exports", ["preference_export", "rag_export", "sft_export"], False),
    **{name: ("streams", [], False) for name in SOURCES},
    **{name: ("corpora", [source], False) for name, source in CORPORA.items()},
    **{name: ("streams", [], False) for name in LOGS},
    "session_audit": ("audit", ["kb/sessions"], False),
    "subject_audit": ("audit", ["subjects"], False),
    "replay_report": ("audit", ["rag_export", "scored_runs"], False),
    "run_summary": ("audit", ["preference_export", "rag_export", "sft_export"], False),
    "audit_baseline": ("audit", ["replay_report", "run_summary"], False),
}
BLOCKING = {
    "evidence": {"provenance_resolves": True, "receipt_balances": True, "contract": True, "quarantine_rate": True},
    "scored_runs": {
        "receipt_balances": True,
        "one_verdict_each": True,
        "scorer_parity": True,
        "scorer_drift": True,
        "score_distribution_psi": True,
    },
    "sft_samples": {"receipt_balances": True},
    "rag_chunks": {"receipt_balances": True},
    "sft_export": {
        "contamination_firewall": True,
        "no_holdout_overlap": True,
        "splits_disjoint": True,
        "contract": True,
        "verdict_balance": False,
    },
    "rag_export": {"never_rejected": True, "chunks_rebuild_text": True, "contract": True},
    "preference_export": {"strict_order": True, "kto_labels": True, "contract": True},
    "audit_baseline": {
        "audit_full": True,
        "metric_drift": True,
        "acceptance": True,
        "parity_extract_json": True,
        "parity_canonical_json": True,
        "parity_materializer": True,
        "parity_audit_baseline": True,
        "parity_validator": True,
        "parity_session_log": True,
        "parity_subject_audit": True,
        **({"parity_embed": True} if can_run() else {}),
    },
    "session_audit": {"accepted_fills_grounded": True, "accepted_fills_known": False, "sessions_readable": False},
    "subject_audit": {"chains_verify": True},
    "replay_report": {"replays_hold": False},
    "line_index": {"streams_append_only": False},
    **{
        name: {"row_parity": True, "embed_parity": True, "recall_at_10": False, "fresh_is_findable": True}
        for name in CORPORA
    },
}


@pytest.fixture
def specs(tiny: TinyLake) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in tiny.definitions().resolve_all_asset_specs()}


def test_the_graph_is_the_story(specs: dict[str, dg.AssetSpec]) -> None:
    found = {
        name: (
            spec.group_name,
            sorted(dep.asset_key.to_user_string() for dep in spec.deps),
            spec.partitions_def is not None,
        )
        for name, spec in specs.items()
    }
    assert found == GRAPH


def test_every_asset_says_what_it_is_and_whose(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        assert spec.description, name
        assert spec.kinds, name
        assert spec.owners == ["team:lakehouse"], name
        assert "dagster/column_schema" in spec.metadata, name


def test_everything_we_make_has_a_code_version(specs: dict[str, dg.AssetSpec]) -> None:
    assert [name for name, spec in specs.items() if spec.code_version is None] == [*KB, *SOURCES, *LOGS]


def test_every_gate_is_there_and_blocks_as_specified(tiny: TinyLake) -> None:
    graph = tiny.definitions().resolve_asset_graph()
    found: dict[str, dict[str, bool]] = {}
    for key in graph.asset_check_keys:
        spec = graph.get_check_spec(key)
        assert spec.description, key
        found.setdefault(key.asset_key.to_user_string(), {})[key.name] = spec.blocking
    assert found == BLOCKING


def test_every_corpus_of_the_registry_is_in_the_graph(specs: dict[str, dg.AssetSpec]) -> None:
    assert {asset_name(corpus): corpus.asset for corpus in REGISTRY.values()} == CORPORA
    assert set(CORPORA) <= specs.keys()


def test_a_roster_that_is_declared_as_a_stream_is_one_asset(tiny: TinyLake) -> None:
    (tiny.root / "lakehouse.toml").write_text(
        '[streams.workers]\npath = "_kb/workers"\nclass = "telemetry"\nscorer = "outcome"\n'
        'timestamp = "closed_at"\n[streams.workers.fields]\ntask_id = "worker:{id}"\ntext = "answer"\n'
    )
    keys = [spec.key.to_user_string() for spec in tiny.definitions().resolve_all_asset_specs()]
    assert keys.count("kb/workers") == 1


def test_a_declared_stream_becomes_an_asset(tiny: TinyLake) -> None:
    (tiny.root / "lakehouse.toml").write_text(
        '[streams.tickets]\npath = "_kb/tickets"\nclass = "telemetry"\nscorer = "outcome"\n'
        'timestamp = "closed_at"\n[streams.tickets.fields]\ntask_id = "ticket:{id}"\ntext = "answer"\n'
    )
    keys = {spec.key.to_user_string() for spec in tiny.definitions().resolve_all_asset_specs()}
    assert "kb/tickets" in keys
