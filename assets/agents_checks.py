"""The checks on what agents leave: sessions, the logs of subjects, replays.

Here: from verdicts of the domain to check results. Not here: the gates (`lakehouse.gates.sessions`, `.subjects`, `.replays`)
and the assets (`agents.py`).
"""

from collections.abc import Callable

import dagster as dg

from assets.agents import REPLAYS, SESSIONS, SUBJECTS
from assets.checks import whole_result
from assets.failures import told
from lakehouse.gates.replays import REPLAY_GATES
from lakehouse.gates.sessions import SESSION_GATES
from lakehouse.gates.subjects import SUBJECT_GATES, SubjectGate
from lakehouse.gates.verdicts import record
from lakehouse.lake import Lake
from lakehouse.records import Verdict
from resources.lake import LakeResource
from resources.subjects import SubjectsResource

Look = Callable[[Lake, str, SubjectsResource], Verdict]


def agent_checks() -> list[dg.AssetChecksDefinition]:
    """Make every check of the assets of agents."""
    of_log = [(asset, gate) for asset, gates in ((SESSIONS, SESSION_GATES), (REPLAYS, REPLAY_GATES)) for gate in gates]
    return [
        *(_check(asset, one.name, one.description, one.blocks, _alone(one.look)) for asset, one in of_log),
        *(_check(SUBJECTS, one.name, one.description, one.blocks, _with_keys(one)) for one in SUBJECT_GATES),
    ]


def _alone(look: Callable[[Lake, str], Verdict]) -> Look:
    return lambda lake, now, _: look(lake, now)


def _with_keys(gate: SubjectGate) -> Look:
    return lambda lake, now, subjects: gate.look(lake, now, subjects.keys_of(lake), subjects.anchors_of(lake))


def _check(asset: str, name: str, description: str, blocks: bool, look: Look) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset, name=name, description=description, blocking=blocks)
    def check(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, subjects: SubjectsResource
    ) -> dg.AssetCheckResult:
        domain, run = lake.open(), lake.run(context.run.run_id)
        with told(context.op_execution_context.retry_number):
            return whole_result(record(domain, asset, None, look(domain, run.now(), subjects)))

    return check
