"""The probes: one list, one file per probe, its fixtures in `lakehouse/parity/fixtures/<probe>.json`.

Here: the list. To add a probe, write its file and its fixtures and name it here. A probe without a subject is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse.embedding import source
from lakehouse.errors import UsageError
from lakehouse.parity.probe import Probe
from lakehouse.parity.probes import embed
from lakehouse.parity.probes.audit_baseline import AUDIT_BASELINE
from lakehouse.parity.probes.canonical_json import CANONICAL_JSON
from lakehouse.parity.probes.extract_json import EXTRACT_JSON
from lakehouse.parity.probes.materializer import MATERIALIZER
from lakehouse.parity.probes.session_log import SESSION_LOG
from lakehouse.parity.probes.subject_audit import SUBJECT_AUDIT
from lakehouse.parity.probes.validator import VALIDATOR

PROBES: tuple[Probe, ...] = (
    EXTRACT_JSON,
    CANONICAL_JSON,
    MATERIALIZER,
    AUDIT_BASELINE,
    SESSION_LOG,
    VALIDATOR,
    SUBJECT_AUDIT,
    *([embed.EMBED] if embed.can_run() else []),
)


def probes_named(names: Iterable[str] = ()) -> list[Probe]:
    """Give the probes of some names, each once, in the order of the list; all without any. Raises `UsageError`."""
    wanted = set(names)
    known = [probe.name for probe in PROBES]
    unknown = sorted(wanted - set(known))
    if embed.EMBED.name in unknown:
        source.require_packages(*embed.NEEDS)
    if unknown:
        raise UsageError(f"there is no probe {unknown[0]!r}", mend=f"the probes are {', '.join(known)}")
    return [probe for probe in PROBES if not wanted or probe.name in wanted]
