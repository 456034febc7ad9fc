// session_log: from what is known of a session, in any order, to its one line in `_kb/sessions.jsonl`.
// A field without a value (null) is left out; "", 0 and false are values. What the record does not declare is left
// aside, and the artifact is written as the model gave it, its nulls too.

import { Num, Refused, write } from "./json.mjs";

const text = (value) => typeof value === "string";
const whole = (value) => value instanceof Num && value.whole;
const flag = (value) => typeof value === "boolean";
const oneOf = (...words) => (value) => words.includes(value);
const anything = () => true;
const optional = (fits) => Object.assign((value) => fits(value), { optional: true });

const ATTEMPT = {
  iteration: whole,
  verdict: oneOf("accepted", "no_json", "validation_failed", "infra_error"),
  error: optional(text),
  latency_ms: whole,
  prompt_tokens: optional(whole),
  completion_tokens: optional(whole),
};

const SESSION = {
  schema: oneOf("session.iterate.v1"),
  session_id: (value) => text(value) && value !== "",
  timestamp: text,
  daemon: text,
  kind: text,
  provider: text,
  model: text,
  prompt: text,
  max_iterations: whole,
  iterations: whole,
  verdict: oneOf("accepted", "max_iter_exhausted", "infra_error"),
  attempts: Array.isArray,
  artifact: optional(anything),
  grounded_in_roster: optional(flag),
  duration_ms: whole,
};

export function sessionLog(input) {
  const record = declared(input, SESSION, "the session");
  record.set("attempts", record.get("attempts").map((attempt, at) => declared(attempt, ATTEMPT, `attempt ${at}`)));
  return new Map([["line", write(record)]]);
}

function declared(found, fields, what) {
  if (!(found instanceof Map)) throw new Refused(`${what} is no object`);
  const record = new Map();
  for (const [key, fits] of Object.entries(fields)) {
    const value = found.get(key) ?? null;
    if (value === null && fits.optional) continue;
    if (value === null || !fits(value)) throw new Refused(`${what} has no ${key}, or one of the wrong kind`);
    record.set(key, value);
  }
  return record;
}
