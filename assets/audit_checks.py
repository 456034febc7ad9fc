"""The checks on the lake as a whole: the audit, the drift of its metrics, acceptance, parity.

Here: from verdicts of the domain to check results. Not here: the audit itself (`audit.py` makes it, `lakehouse.audit`
says what it looks at) and the gates (`lakehouse.gates`).
"""

from collections.abc import Callable

import dagster as dg

from assets.audit import ANEW_TAG, BASELINE, audited
from assets.checks import whole_result
from assets.failures import told
from lakehouse.audit.model import audit_verdict
from lakehouse.audit.run import report_path
from lakehouse.gates.code_gates import CODE_GATES, CodeGate, standing
from lakehouse.gates.metric_drift import metric_drift
from lakehouse.gates.verdicts import record
from lakehouse.lake import Lake
from lakehouse.records import Verdict
from lakehouse.run import Run
from resources.chat import ChatResource
from resources.embedder import EmbedderResource
from resources.lake import LakeResource

ACCEPTANCE = "acceptance"
PARITY = tuple(name for name in CODE_GATES if name.startswith("parity_"))
Look = Callable[[Lake, Run, dg.DagsterRun, ChatResource, EmbedderResource], Verdict]


def audit_checks() -> list[dg.AssetChecksDefinition]:
    """Make the checks of the audit baseline."""
    return [
        _check(
            "audit_full",
            _audit,
            "Every required check of the audit's phases passed: lake, records, evidence, verdicts, exports, receipts, "
            "acceptance, replays. The page of the audit names each fault by file and line.",
        ),
        _check(
            "metric_drift",
            lambda lake, run, *_: record(lake, BASELINE, None, metric_drift(lake, run.now())),
            "No metric of the newest baseline is more than 20 % away from the one before.",
        ),
        *(_code_check(gate) for gate in CODE_GATES.values()),
    ]


def _audit(lake: Lake, run: Run, dagster_run: dg.DagsterRun, chat: ChatResource, embedder: EmbedderResource) -> Verdict:
    report = audited(lake, run, dagster_run.tags, chat, embedder)
    return record(lake, BASELINE, None, audit_verdict(report, run.now()))


def _code_check(gate: CodeGate) -> dg.AssetChecksDefinition:
    def look(lake: Lake, run: Run, dagster_run: dg.DagsterRun, *_: object) -> Verdict:
        return standing(lake, gate.name, run.now(), anew=ANEW_TAG in dagster_run.tags)

    return _check(gate.name, look, gate.description)


def _check(name: str, look: Look, description: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=BASELINE, name=name, description=description, blocking=True)
    def check(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, chat: ChatResource, embedder: EmbedderResource
    ) -> dg.AssetCheckResult:
        domain, run = lake.open(), lake.run(context.run.run_id)
        with told(context.op_execution_context.retry_number):
            found = look(domain, run, context.run, chat, embedder)
        page = report_path(run)
        return whole_result(found, **({"page": dg.MetadataValue.url(page.as_uri())} if page.exists() else {}))

    return check
