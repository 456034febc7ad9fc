"""The asset graph as the UI shows it: groups, keys, dependencies, and what every asset must say of itself."""

import dagster as dg
import pytest

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
    "run_summary": ("audit", ["preference_export", "rag_export", "sft_export"], False),
    "audit_baseline": ("audit", ["run_summary"], False),
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
    },
    "line_index": {"streams_append_only": False},
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
    assert [name for name, spec in specs.items() if spec.code_version is None] == KB


def test_every_gate_is_there_and_blocks_as_specified(tiny: TinyLake) -> None:
    graph = tiny.definitions().resolve_asset_graph()
    found: dict[str, dict[str, bool]] = {}
    for key in graph.asset_check_keys:
        spec = graph.get_check_spec(key)
        assert spec.description, key
        found.setdefault(key.asset_key.to_user_string(), {})[key.name] = spec.blocking
    assert found == BLOCKING


def test_a_declared_stream_becomes_an_asset(tiny: TinyLake) -> None:
    (tiny.root / "lakehouse.toml").write_text(
        '[streams.tickets]\npath = "_kb/tickets"\nclass = "telemetry"\nscorer = "outcome"\n'
        'timestamp = "closed_at"\n[streams.tickets.fields]\ntask_id = "ticket:{id}"\ntext = "answer"\n'
    )
    keys = {spec.key.to_user_string() for spec in tiny.definitions().resolve_all_asset_specs()}
    assert "kb/tickets" in keys
