"""The wire: every record that the chain reads or writes, each declared once.

Here: shapes only, as `msgspec.Struct`s; other runtimes read and write the same files, so a field's name, order and
type is a contract. Not here: how files are written (`files.py`), how bytes are signed (`canonical.py`), any rule.

Absent and empty differ. An optional field is `… | None = None` and is left out when it is `None`; every other field
has no default, so that `0`, `""`, `false` and `[]` are always written (msgspec leaves out only what equals a default).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Category = Literal["accepted", "partially_accepted", "needs_human_review", "rejected"]
"""The four verdicts, from best to worst."""

SourceClass = Literal["verdict", "telemetry", "extraction"]
Number = int | float
"""A JSON number kept as it was written: `1` stays an integer, `1.0` a float."""


class Record(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Base of all records: keyword-only, `None` left out, unknown fields ignored on reading."""


class Provenance(Record, kw_only=True):
    """Where a record came from: file relative to the lake, line from 0, signature of the row, when first recorded."""

    source_file: str
    line_offset: int
    sig_hash: str
    recorded_at: str


class RetrievedContext(Record, kw_only=True):
    """What a run had retrieved before it answered."""

    corpora: list[str]
    chunks_kept: int | None = None
    chunks_dropped: int | None = None
    pathway_fingerprints: list[str] | None = None


class Validation(Record, kw_only=True):
    """Outcome of the validators; errors in their externally tagged wire form."""

    ok: bool
    errors: list[dict[str, Any]]


class HumanOverride(Record, kw_only=True):
    """A person's verdict, as found inside a row; it wins over every rule."""

    category: Category
    by: str
    reason: str | None = None
    at: str | None = None


class OverrideRow(Record, kw_only=True):
    """One line of `_kb/human_overrides.jsonl`: a person's verdict on the row with this signature."""

    sig_hash: str
    category: Category
    by: str
    reason: str
    at: str


class EvidenceRecord(Record, kw_only=True):
    """A row of any stream in the common shape. Stage `collect` makes it, everything after reads it."""

    schema_version: Literal[1]
    run_id: str
    task_id: str
    timestamp: str
    provenance: Provenance
    source_class: SourceClass
    model_name: str | None = None
    model_provider: str | None = None
    model_role: str | None = None
    task_class: str | None = None
    source_files: list[str] | None = None
    command: str | None = None
    retrieved_context: RetrievedContext | None = None
    observer_verdict: str | None = None
    observer_confidence: Number | None = None
    observer_notes: list[str] | None = None
    success_markers: list[str]
    failure_markers: list[str]
    validation: Validation | None = None
    human_override: HumanOverride | None = None
    cost_usd: Number | None = None
    latency_ms: Number | None = None
    prompt_tokens: Number | None = None
    completion_tokens: Number | None = None
    text: str
    messages: list[dict[str, Any]] | None = None
    metadata: dict[str, Any] | None = None


class ScoredRun(Record, kw_only=True):
    """The verdict on one evidence record, with its reasons in words."""

    schema_version: Literal[1]
    evidence_run_id: str
    evidence_task_id: str
    stream: str
    category: Category
    reasons: list[str]
    sub_scores: dict[str, float | bool | str]
    scorer: str
    scorer_version: str
    scored_at: str
    provenance: Provenance
    sig_hash: str


class SftSample(Record, kw_only=True):
    """One training example, with the run that it came from. `tools` is the JSON of the tool schemas that it had."""

    schema_version: Literal[1]
    id: str
    instruction: str
    context: str
    response: str
    messages: list[dict[str, Any]] | None = None
    tools: str | None = None
    category: Category
    quality_score: float
    source_run_id: str
    task_id: str
    created_at: str
    provenance: Provenance


class PreferencePair(Record, kw_only=True):
    """Two answers to one prompt, of which one was judged better, with the runs that they came from.

    All three parts are lists of chat messages in the shape of trainers; `tools` is the JSON of the tool schemas.
    """

    schema_version: Literal[1]
    id: str
    prompt: list[dict[str, Any]]
    chosen: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    tools: str | None = None
    reason: str
    chosen_run_id: str
    rejected_run_id: str
    task_id: str
    chosen_category: Category
    rejected_category: Category
    created_at: str
    provenance_chosen: Provenance
    provenance_rejected: Provenance


class RagChunk(Record, kw_only=True):
    """A stretch of what a run produced, to be retrieved: `content` is `text[char_start:char_end]` of its evidence."""

    schema_version: Literal[1]
    id: str
    title: str
    content: str
    tags: list[str]
    category: Category
    stream: str
    source_run_id: str
    task_id: str
    chunk_index: int
    chunk_count: int
    token_count: int
    char_start: int
    char_end: int
    created_at: str
    provenance: Provenance


class QuarantinedRow(Record, kw_only=True):
    """A row that could not be used: where it is, why, and the line itself (cut at 64 KiB, masked where it must be)."""

    schema_version: Literal[1]
    stage: str
    stream: str
    source_file: str
    line_offset: int
    sig_hash: str | None = None
    field: str | None = None
    reason_code: str
    reason: str
    raw: str | None = None
    raw_b64: str | None = None
    raw_masked: bool | None = None


class FileRef(Record, kw_only=True):
    """A file that a stage read or wrote. `content_sha256` leaves the stamps out, so it is the same on every re-run."""

    path: str
    rows: int
    bytes: int
    sha256: str
    content_sha256: str | None = None


class Receipt(Record, kw_only=True):
    """What one stage of one run read and wrote. `records_in = records_out + records_skipped + records_quarantined`."""

    schema_version: Literal[1]
    run_id: str
    stage: str
    started_at: str
    finished_at: str
    inputs: list[FileRef]
    outputs: list[FileRef]
    records_in: int
    records_out: int
    records_skipped: int
    records_quarantined: int
    items_out: int | None = None
    skip_reasons: dict[str, int]
    code_version: str
    git_commit: str
    status: Literal["ok", "failed"]
    error: str | None = None


class DayManifest(Record, kw_only=True):
    """What one stage made of one day: the memory between runs.

    A pure function of the day's input (no clock, no run id), so a re-run writes the same bytes. `fingerprint` names the
    input, the settings and the code; where it no longer matches, the day is stale.
    """

    schema_version: Literal[1]
    stage: str
    day: str
    fingerprint: str
    inputs: list[FileRef]
    outputs: list[FileRef]
    records_in: int
    records_out: int
    records_quarantined: int
    items_out: int | None = None
    skip_reasons: dict[str, int]
    counts: dict[str, int]
    code_version: str
    overrides_applied: list[str] | None = None


class FirewallReport(Record, kw_only=True):
    """How many runs the firewall kept out of training, by verdict."""

    blocked: int
    by_category: dict[str, int]


class ChecksReport(Record, kw_only=True):
    """How many gate verdicts of a run passed, failed and warned."""

    passed: int
    failed: int
    warned: int


class SealedReceipt(Record, kw_only=True):
    """What a receipt was when its run was summed up: SHA-256 of the file, and the CRC-32 of each line, 8 hex digits each."""

    sha256: str
    line_crc32: str


class RunSummary(Record, kw_only=True):
    """The receipts of one run in one page, with the hash of everything it wrote.

    `receipts` seals the file of each stage, so that a change to one is seen, down to its line.
    """

    schema_version: Literal[1]
    run_id: str
    run_hash: str
    git_commit: str
    partition: str
    started_at: str
    finished_at: str
    status: Literal["ok", "stopped"]
    stages: list[str]
    counts: dict[str, int]
    firewall: FirewallReport
    checks: ChecksReport
    failed_gates: list[str]
    held_days: dict[str, str]
    error: str | None = None
    receipts: dict[str, SealedReceipt] | None = None


class AuditBaseline(Record, kw_only=True):
    """The metrics of one audited run. Other producers append to the same log; see `baseline.py` for their extra keys.

    `partition` names the days of the run as its summary does: drift compares later days with them.
    """

    schema: Literal["audit_baseline.v1"]
    recorded_at: str
    git_commit: str
    run_id: str
    run_hash: str
    producer: str
    metrics: dict[str, Number]
    partition: str | None = None


class Verdict(Record, kw_only=True):
    """What one gate said about one piece of data. `input_sha256` names what it looked at: other data, other verdict.

    `tables` are rows of plain values by the name of the table: the numbers behind the verdict, for people.
    """

    check: str
    severity: Literal["ERROR", "WARN"]
    passed: bool
    rows_checked: int
    offenders: list[dict[str, Any]]
    summary: str
    tables: dict[str, list[dict[str, Any]]] | None = None
    input_sha256: str
    code_version: str
    checked_at: str


class GateVerdicts(Record, kw_only=True):
    """The newest verdicts on one asset (and day), as publishing reads them.

    `seal` is the SHA-256 of the record without it: verdicts that somebody changed by hand are no verdicts.
    """

    schema_version: Literal[1]
    asset: str
    partition: str | None = None
    verdicts: list[Verdict]
    seal: str | None = None


class GateWaiver(Record, kw_only=True):
    """One line of `_kb/gate_waivers.jsonl`: a person lets data go on although a gate on it is red.

    `partition` is a day, or `line 78` where the word is on that line of the log that the gate looks at. It holds for the data
    that the verdict looked at, or for the line as it is (`input_sha256`), and no other. The latest line of an asset, partition
    and check counts; one with `withdrawn` takes it back.
    """

    asset: str
    partition: str
    check: str
    input_sha256: str
    by: str
    reason: str
    at: str
    withdrawn: bool


class ReleasedVerdict(Record, kw_only=True):
    """A gate's verdict that a release rests on, with the SHA-256 of its encoded form, and who waived it where it is red."""

    asset: str
    partition: str | None = None
    sha256: str
    verdict: Verdict
    waiver: GateWaiver | None = None


class ReleasedVerdicts(Record, kw_only=True):
    """`verdicts.json` of a release: every verdict that it rests on, and who signed them off."""

    schema_version: Literal[1]
    release_hash: str
    signed_off_by: str
    signed_off_at: str
    verdicts: list[ReleasedVerdict]


class Release(Record, kw_only=True):
    """`release.json` of a release. Paths are relative to its folder.

    The files with a `content_sha256` are its data: the release hash is made of their paths and content hashes. `settings`,
    `counts` and `left_out` are by asset, the last counting source runs by reason code. Where no receipts of a run lie in
    it, `receipts_absent` says why.
    """

    schema_version: Literal[1]
    release_hash: str
    created_at: str
    run_id: str | None = None
    run_hash: str | None = None
    git_commit: str
    code_versions: dict[str, str]
    files: list[FileRef]
    settings: dict[str, dict[str, Any]]
    counts: dict[str, dict[str, dict[str, int]]]
    left_out: dict[str, dict[str, int]]
    receipts_absent: str | None = None


class RecallRow(Record, kw_only=True):
    """One line of `distilled/releases/recalls.jsonl`: a run in a release whose verdict is another now.

    The latest line of a release and a signature holds. One whose two verdicts are equal takes the recall back.
    """

    release_hash: str
    run_id: str
    stream: str | None = None
    sig_hash: str
    reason: str
    verdict_then: str
    verdict_now: str
    by: str
    at: str


class PlaybookEntry(Record, kw_only=True):
    """One line of `_kb/playbooks.jsonl`: a good answer to a query, remembered. `score` is 0..1.

    The latest line of a namespace and an id holds; without a namespace it is the common memory. One with `retired_at` takes
    the entry out. `merged_from` names the corpus that it was recorded for first.
    """

    id: str
    query_text: str
    role: str | None = None
    answer_id: str
    answer_corpus: str
    score: float
    tags: list[str]
    recorded_by: str
    recorded_at: str
    retired_at: str | None = None
    namespace: str | None = None
    merged_from: str | None = None


class FreshWorker(Record, kw_only=True):
    """One line of `_kb/fresh_workers.jsonl`: a worker who is searched before any roster holds them.

    The latest line of an id holds. One with `merged_into` says that the worker moved to that corpus. `email`, `phone` and
    `blacklisted` are for the validators: no search embeds, shows or filters them.
    """

    id: str
    name: str | None = None
    role: str | None = None
    city: str | None = None
    state: str | None = None
    certs: list[str] | None = None
    skills: list[str] | None = None
    resume_text: str | None = None
    available: bool | None = None
    shift: str | None = None
    years: int | None = None
    email: str | None = None
    phone: str | None = None
    blacklisted: bool | None = None
    recorded_at: str
    recorded_by: str | None = None
    merged_into: str | None = None


class FieldFault(Record, kw_only=True):
    """What is wrong with a field of a payload; `field` is its path, `fills[2].worker_id`."""

    field: str
    reason: str


class Fault(Record, kw_only=True):
    """What is wrong with a payload as a whole."""

    reason: str


class ValidationError(Record, kw_only=True, forbid_unknown_fields=True, rename="pascal"):
    """An error of a validator, tagged by its one key: `{"Schema": {"field", "reason"}}`, `{"Policy": {"reason"}}`.

    Exactly one field is set; `lakehouse.validators.wire` makes them and reads them, the older flat form too.
    """

    schema: FieldFault | None = None
    completeness: Fault | None = None
    consistency: Fault | None = None
    policy: Fault | None = None


class SessionAttempt(Record, kw_only=True):
    """One attempt of a session, from 0. `error` says what was wrong, as the next prompt told the model."""

    iteration: int
    verdict: Literal["accepted", "no_json", "validation_failed", "infra_error"]
    error: str | None = None
    latency_ms: int
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class SessionRecord(Record, kw_only=True):
    """One line of `_kb/sessions.jsonl`: a call of iterate with every attempt. Other runtimes append the same.

    `session_id` is the trace id of the caller, or one made here: never empty. `grounded_in_roster` is there for fills: every
    worker of the artifact is in the roster.
    """

    schema: Literal["session.iterate.v1"]
    session_id: str
    timestamp: str
    daemon: str
    kind: str
    provider: str
    model: str
    prompt: str
    max_iterations: int
    iterations: int
    verdict: Literal["accepted", "max_iter_exhausted", "infra_error"]
    attempts: list[SessionAttempt]
    artifact: Any | None = None
    grounded_in_roster: bool | None = None
    duration_ms: int


class Retrieved(Record, kw_only=True):
    """A passage that a replay had before it answered; `distance` as its corpus measures it."""

    id: str
    corpus: str
    distance: float


class ReplayRun(Record, kw_only=True):
    """One line of `_kb/replay_runs.jsonl`: a task done again with what the lake retrieves.

    Ours also say which accepted run it was (`source_run_id`), what the question was made of (`fingerprint`: the same, and
    the answer stands), and `producer`; other runtimes leave these out.
    """

    schema: Literal["replay_run.v1"]
    run_id: str
    session_id: str
    task: str
    retrieved: list[Retrieved]
    model: str
    provider: str
    response: str
    validation: Validation
    escalated: bool
    recorded_at: str
    duration_ms: int
    producer: str | None = None
    task_id: str | None = None
    source_run_id: str | None = None
    fingerprint: str | None = None


class SubjectManifest(Record, kw_only=True):
    """`subjects/<id>/manifest.json`: a person (or a thing) whose data is looked at, and under which key its log is signed.

    `retention` is an ISO 8601 duration, or words; `audit_log` is relative to the manifest's folder.
    """

    schema_version: Literal[1]
    subject_id: str
    kind: str
    created_at: str
    retention: str
    key_id: str
    datasets: list[str]
    audit_log: str


class AuditAccessor(Record, kw_only=True):
    """Who looked: all four are written, an empty `trace_id` too."""

    daemon: str
    user: str
    purpose: str
    trace_id: str


class SubjectAuditRow(Record, kw_only=True):
    """One line of a subject's `audit.jsonl`. `hmac` signs the line without it; `prev_hmac` is that of the row before.

    For writing. A line is verified as it stands, never through this type: stamps keep the bytes they came with. A row that
    announces a key names it as `next_key_id`, and is itself signed with the old one still.
    """

    schema: Literal["subject_audit.v1"]
    ts: str
    subject_id: str
    accessor: AuditAccessor
    fields_accessed: list[str]
    result: str
    key_id: str
    prev_hmac: str
    hmac: str
    next_key_id: str | None = None


class SubjectAnchor(Record, kw_only=True):
    """How many rows a subject's log has and the last one's `hmac`, signed, kept outside the log's folder."""

    subject_id: str
    count: int
    tip: str
    key_id: str
    hmac: str
