// The built-in streams: what fields a row has, and what becomes of them in its evidence.
// Here: the tables of the specification. A field's type ends in `!` where it is required; null counts as absent.

import { Num, Refused, write } from "./json.mjs";

const text = (value) => (typeof value === "string" ? value : write(value));
const joined = (value) => (Array.isArray(value) ? value.map(text).join("\n") : (value ?? ""));
const paragraphs = (...parts) => parts.filter((part) => part).join("\n\n");
const size = (list) => new Num(String(list?.length ?? 0));
const digits = (value) => (value instanceof Num ? write(value) : value);

const AGAINST = new Set(["reject", "fail", "block", "request_changes", "high", "critical", "blocker"]);
const NOTHING_DONE = new Set(["no_patches", "all_rejected"]);
const JUDGING = new Set(["reward", "passed", "verdict"]);

const isText = (value) => typeof value === "string";
const isNumber = (value) => value instanceof Num;
const isWhole = (value) => value instanceof Num && value.whole;
const TYPES = {
  any: () => true,
  str: isText,
  num: isNumber,
  int: isWhole,
  bool: (value) => typeof value === "boolean",
  list: Array.isArray,
  object: (value) => value instanceof Map,
  strs: (value) => Array.isArray(value) && value.every(isText),
  text: (value) => isText(value) || Array.isArray(value),
  key: (value) => isText(value) || isWhole(value),
  objects: (value) => Array.isArray(value) && value.every((item) => item instanceof Map),
};

function fields(row, types) {
  const found = {};
  for (const [name, declared] of Object.entries(types)) {
    const required = declared.endsWith("!");
    const value = row.get(name) ?? undefined;
    if (value === undefined) {
      if (required) throw new Refused(`${name} is missing`);
    } else if (TYPES[declared.replace("!", "")](value)) found[name] = value;
    else throw new Refused(`${name} is no ${declared}`);
  }
  return found;
}

const COMMON = {
  run_id: "str", model: "str", provider: "str", command: "str", human_override: "object",
  cost_usd: "num", latency_ms: "num", prompt_tokens: "num", completion_tokens: "num",
};
const DISTILLED = { source_run_id: "str!", text: "str", extractor: "str", confidence: "num", category: "str" };
const OVERRIDE = { category: "str!", by: "str!", reason: "str", at: "str" };
const CATEGORIES = new Set(["accepted", "partially_accepted", "needs_human_review", "rejected"]);

const sides = (...markers) => {
  const given = markers.filter(([, value]) => value !== undefined);
  const mark = ([kind, value]) => `${kind}:${value}`;
  return {
    success_markers: given.filter(([, value]) => !AGAINST.has(value)).map(mark),
    failure_markers: given.filter(([, value]) => AGAINST.has(value)).map(mark),
  };
};
const either = (value, good, bad) => ({
  success_markers: value === true ? [good] : [],
  failure_markers: value === false ? [bad] : [],
});
const distilled = (kind, body) => (row) => ({
  task_id: `${kind}:${row.source_run_id}`,
  text: body(row),
  metadata: { confidence: row.confidence, category: row.category, extractor: row.extractor, source_run_id: row.source_run_id },
});
const numbered = (steps) => (steps ?? []).map((step, at) => `${at + 1}. ${text(step)}`);
const messageText = ({ content }) => {
  if (isText(content)) return content;
  const parts = Array.isArray(content) ? content.filter((part) => part instanceof Map && isText(part.get("text"))) : [];
  return parts.map((part) => part.get("text")).join("");
};
const lastAnswer = (messages) =>
  messages
    .filter((message) => message.get("role") === "assistant")
    .map((message) => messageText({ content: message.get("content") }))
    .filter((said) => said.trim())
    .at(-1) ?? "";

// Per stream: class, role, the fields of its rows, and what they become. `metadata` keeps what has a value, in this order.
export const STREAMS = {
  scrum_reviews: {
    class: "verdict", role: "reviewer",
    row: { file: "str!", accepted_on_attempt: "int", attempts_made: "int", suggestions: "text", confidence_avg: "num" },
    make: (row) => ({
      task_id: `scrum_review:${row.file}`, text: joined(row.suggestions), source_files: [row.file],
      observer_confidence: row.confidence_avg,
      success_markers: row.accepted_on_attempt === undefined ? [] : [`accepted_on_attempt_${digits(row.accepted_on_attempt)}`],
      metadata: { attempts_made: row.attempts_made },
    }),
  },
  observer_reviews: {
    class: "verdict", role: "reviewer",
    row: { file: "str!", attempt: "int", verdict: "str", confidence: "num", notes: "text" },
    make: (row) => ({
      task_id: `observer_review:${row.file}`, text: joined(row.notes), source_files: [row.file],
      observer_verdict: row.verdict, observer_confidence: row.confidence,
      observer_notes: isText(row.notes) ? [row.notes] : row.notes?.map(text),
      ...sides(["verdict", row.verdict]), metadata: { attempt: row.attempt },
    }),
  },
  audits: {
    class: "verdict", role: "verifier",
    row: { phase: "key!", overall: "str", severity: "str", findings: "list", reasoning: "str", head_sha: "str" },
    make: (row) => ({
      task_id: `phase:${digits(row.phase)}`,
      text: paragraphs(row.reasoning, (row.findings ?? []).map((finding) => `- ${text(finding)}`).join("\n")),
      ...sides(["overall", row.overall], ["severity", row.severity]),
      metadata: { phase: row.phase, head_sha: row.head_sha },
    }),
  },
  contract_analyses: {
    class: "verdict", role: "executor",
    row: {
      permit_id: "key!", contractor: "str", analysis: "str", observer_verdict: "str", observer_conf: "num",
      matrix_hits: "any", duration_ms: "num",
    },
    make: (row) => ({
      task_id: `permit:${digits(row.permit_id)}`, text: row.analysis ?? "",
      observer_verdict: row.observer_verdict, observer_confidence: row.observer_conf,
      ...sides(["verdict", row.observer_verdict]), latency_ms: row.latency_ms ?? row.duration_ms,
      metadata: { contractor: row.contractor, permit_id: row.permit_id, matrix_hits: row.matrix_hits },
    }),
  },
  observer_escalations: {
    class: "verdict", role: "reviewer",
    row: { cluster_id: "key!", cluster_size: "int", analysis: "str", recommended: "text", resolved: "bool" },
    make: (row) => ({
      task_id: `escalation:${digits(row.cluster_id)}`, text: paragraphs(row.analysis, joined(row.recommended)),
      ...either(row.resolved, "resolved", "unresolved"), metadata: { cluster_size: row.cluster_size },
    }),
  },
  auto_apply: {
    class: "telemetry", role: "applier",
    row: { file: "str!", action: "str", patch: "str", patches_applied: "int", build_green: "bool" },
    make: (row) => {
      const { success_markers, failure_markers } = either(row.build_green, "build_green", "build_red");
      const against = row.action?.endsWith("_reverted") || NOTHING_DONE.has(row.action);
      if (row.action !== undefined) (against ? failure_markers : success_markers).unshift(row.action);
      const metadata = { patches_applied: row.patches_applied };
      const common = { task_id: `auto_apply:${row.file}`, text: row.patch ?? "", source_files: [row.file] };
      return { ...common, success_markers, failure_markers, metadata };
    },
  },
  outcomes: {
    class: "telemetry", role: "executor",
    row: { scenario: "str!", events: "objects", total_events: "int", ok_events: "int", elapsed_ms: "num" },
    make: (row) => {
      const events = (row.events ?? []).map((event) => fields(event, { name: "str!", ok: "bool!" }));
      const marks = new Set();
      if (events.length) marks.add(`events_ok:${events.filter((event) => event.ok).length}/${events.length}`);
      const totals = row.total_events !== undefined && row.ok_events !== undefined;
      const [ok, all] = [digits(row.ok_events), digits(row.total_events)];
      if (totals) marks.add(`events_ok:${ok}/${all}`);
      const lines = events.map((event) => `${event.name}: ${event.ok ? "ok" : "failed"}`).join("\n");
      return {
        task_id: `outcome:${row.scenario}`, text: lines || (totals ? `${ok} of ${all} events ok` : ""),
        success_markers: [...marks], latency_ms: row.latency_ms ?? row.elapsed_ms, metadata: { scenario: row.scenario },
      };
    },
  },
  mode_experiments: {
    class: "telemetry", role: "executor",
    row: { task_class: "str!", file: "str!", mode: "str", response: "str", ok: "bool", sources: "object" },
    make: (row) => {
      const types = { corpora: "strs", chunks_kept: "int", chunks_dropped: "int", pathway_fingerprints: "strs", downgraded_from: "str" };
      const { downgraded_from, ...sources } = row.sources === undefined ? {} : fields(row.sources, types);
      return {
        task_id: `${row.task_class}:${row.file}`, text: row.response ?? "", task_class: row.task_class,
        source_files: [row.file], ...either(row.ok, "ok", "not_ok"),
        retrieved_context: row.sources === undefined ? undefined : kept({ corpora: [], ...sources }, Object.keys(types)),
        metadata: { mode: row.mode, downgraded_from },
      };
    },
  },
  agent_runs: {
    class: "telemetry", role: "executor",
    row: {
      task_id: "str", messages: "objects", prompt: "text", response: "str", reward: "num", passed: "bool", verdict: "str",
      metadata: "object",
    },
    make: (row, run) => {
      if (row.messages?.some((message) => !isText(message.get("role")))) throw new Refused("a message has no role");
      const own = [...(row.metadata ?? [])].map(([key, value]) => [JUDGING.has(key) ? `metadata_${key}` : key, value]);
      const prompt = row.prompt === undefined ? undefined : joined(row.prompt);
      return {
        task_id: row.task_id || `agent_run:${run}`, text: row.response ?? lastAnswer(row.messages ?? []),
        messages: row.messages, own, metadata: { prompt, reward: row.reward, passed: row.passed, verdict: row.verdict },
      };
    },
  },
  distilled_facts: {
    class: "extraction", role: "extractor", row: DISTILLED, make: distilled("fact", (row) => row.text ?? ""),
  },
  distilled_procedures: {
    class: "extraction", role: "extractor", row: { ...DISTILLED, steps: "list" },
    make: distilled("procedure", (row) => [...(row.text ? [row.text] : []), ...numbered(row.steps)].join("\n")),
  },
  distilled_config_hints: {
    class: "extraction", role: "extractor", row: { ...DISTILLED, key: "str", value: "any" },
    make: distilled("config_hint", (row) =>
      [...(row.text ? [row.text] : []), ...(row.key === undefined ? [] : [`${row.key} = ${text(row.value ?? null)}`])].join("\n"),
    ),
  },
  audit_facts: {
    class: "extraction", role: "extractor",
    row: { head_sha: "str!", facts: "list", entities: "list", relationships: "list", pr: "key", extractor: "str" },
    make: (row) => ({
      task_id: `audit_fact:${row.head_sha}`, text: joined(row.facts ?? []),
      metadata: {
        entities: size(row.entities), relationships: size(row.relationships), pr: row.pr, head_sha: row.head_sha,
        extractor: row.extractor,
      },
    }),
  },
};

// The fields of an EvidenceRecord after `source_class`, in the order in which they are written.
const ORDER = [
  "model_name", "model_provider", "model_role", "task_class", "source_files", "command", "retrieved_context",
  "observer_verdict", "observer_confidence", "observer_notes", "success_markers", "failure_markers", "human_override",
  "cost_usd", "latency_ms", "prompt_tokens", "completion_tokens", "text", "messages", "metadata",
];

const kept = (values, order) => new Map(order.filter((key) => values[key] !== undefined).map((key) => [key, values[key]]));

export function evidenceOf(name, row, { provenance, signature, timestamp, marks }) {
  const stream = STREAMS[name];
  const given = fields(row, { ...COMMON, ...stream.row });
  const run = given.run_id || `${name}-${signature.slice(0, 16)}`;
  const { metadata: described, own = [], ...made } = stream.make(given, run);
  const slash = given.provider === undefined ? (given.model ?? "").indexOf("/") : -1;
  const override = given.human_override && fields(given.human_override, OVERRIDE);
  if (override && !CATEGORIES.has(override.category)) throw new Refused("no category");
  const metadata = new Map(own);
  for (const [key, value] of [...marks, ...Object.entries(described)]) if (value !== undefined) metadata.set(key, value);
  const values = {
    ...given,
    success_markers: [],
    failure_markers: [],
    model_name: slash < 0 ? given.model : given.model.slice(slash + 1),
    model_provider: slash < 0 ? given.provider : given.model.slice(0, slash),
    model_role: stream.role,
    ...made,
    human_override: override && kept(override, Object.keys(OVERRIDE)),
    metadata: metadata.size ? metadata : undefined,
  };
  const head = [
    ["schema_version", new Num("1")], ["run_id", run], ["task_id", made.task_id], ["timestamp", timestamp],
    ["provenance", provenance], ["source_class", stream.class],
  ];
  return new Map([...head, ...kept(values, ORDER)]);
}
