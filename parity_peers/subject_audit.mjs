// subject_audit: what a row of a subject's log signs, and whether a log holds: `{count, tip, verified, error}`.
// A row is signed as it stands: parsed without loss, `hmac` taken out, written as canonical JSON.
// The faults of a log and the order in which they are looked for: docs/subjects.md.

import { canonical, Num, parse, Refused } from "./json.mjs";
import { hmacSha256 } from "./signing.mjs";

const NOTHING = "0".repeat(64);
const LONGEST = 1 << 20;
const SHORTEST_KEY = 32;

export function subjectAudit(input) {
  if (!(input instanceof Map)) throw new Refused("the question is no object");
  if (input.get("do") === "sign") return sign(textOf(input, "line"), keyOf(textOf(input, "key")));
  if (input.get("do") === "verify") return verify(input);
  throw new Refused("there is only sign and verify to do");
}

function sign(line, key) {
  const row = object(line);
  if (row === null) throw new Refused("the line is no row");
  if (key.length < SHORTEST_KEY) throw new Refused("the key is short");
  return new Map([["canonical", signed(row)], ["hmac", hmacSha256(key, signed(row))]]);
}

function verify(input) {
  if (!(input.get("keys") instanceof Map)) throw new Refused("the question has no keys");
  const keys = new Map([...input.get("keys")].map(([id, hex]) => [id, keyOf(hex)]));
  const log = textOf(input, "log");
  const lines = log.split("\n");
  const rows = lines.map(rowOf);
  const torn = lines.pop();
  const given = (input.get("anchor") ?? null) !== null;
  const anchor = given ? anchorOf(textOf(input, "anchor")) : null;
  const asked = input.get("subject") ?? anchor?.get("subject_id");
  const anchored = anchor !== null && possible(anchor) && right(keys, anchor) && anchor.get("subject_id") === asked;
  const whole = { rows, keys, anchor: anchored ? anchor : null };
  whole.subject = input.get("subject") ?? (whole.anchor ?? rows[0])?.get("subject_id");

  let tip = NOTHING;
  let current = null;
  const answer = (count, error) =>
    new Map([["count", number(count)], ["tip", tip], ["verified", error === null], ["error", error]]);
  for (const at of lines.keys()) {
    const kind = faultOf(whole, at, tip, current);
    if (kind !== null) return answer(at, fault(at + 1, kind));
    tip = rows[at].get("hmac");
    current = rows[at].get("next_key_id") ?? rows[at].get("key_id");
  }
  const held = rows.slice(0, lines.length);
  // The row that stands after the last newline, where it lacks nothing but its own.
  const unended = torn !== "" && faultOf(whole, held.length, tip, current) === null ? rows[held.length] : null;
  const ending = given ? faultOfEnd(anchor, anchored, { empty: log === "", held, keys, unended }) : null;
  return answer(held.length, ending ?? (torn === "" ? null : fault(held.length + 1, "torn_last_line")));
}

// What is wrong with one line, all lines before it being right. `rows` has the torn line too, where it can be read.
function faultOf({ rows, keys, anchor, subject }, at, tip, current) {
  const row = rows[at];
  if (row === null) return "unreadable";
  const key = row.get("key_id");
  const announced = current === null || key === current;
  if (!keys.has(key)) return announced ? "missing_key" : "unannounced_key";
  if (!usable(keys, row)) return "short_key";
  const previous = row.get("prev_hmac");
  const skipped = () => rows[at + 1]?.get("prev_hmac") === tip;
  if (!right(keys, row)) {
    const signs = (other) => other?.get("key_id") === key && right(keys, other);
    if (announced && ![...rows, anchor].some(signs)) return "wrong_key";
    return skipped() ? "inserted" : "edited";
  }
  if (row.get("subject_id") !== subject) return "other_subject";
  if (previous !== tip) {
    const before = (hmac) => rows.slice(0, at).some((other) => other.get("hmac") === hmac);
    if (before(row.get("hmac"))) return "repeated";
    if (rows.slice(at + 1).some((other) => other?.get("hmac") === previous)) return "swapped";
    if (skipped()) return "inserted";
    return previous === NOTHING || before(previous) ? "forked" : "deleted";
  }
  return announced ? null : "unannounced_key";
}

// What the anchor says of rows that hold together: how many there should be, and which is the last of them.
function faultOfEnd(anchor, anchored, { empty, held, keys, unended }) {
  if (anchor === null) return fault(0, "anchor_forged");
  if (!keys.has(anchor.get("key_id"))) return fault(0, "missing_key");
  if (!usable(keys, anchor)) return fault(0, "short_key");
  if (!anchored) return fault(0, "anchor_forged");
  const count = anchor.get("count").value;
  const named = ["hmac", "key_id"].every((name) => unended?.get(name) === anchor.get(name === "hmac" ? "tip" : name));
  if (count === held.length + 1 && named) return fault(count, "torn_last_line");
  if (count > held.length) return empty ? fault(1, "log_missing") : fault(held.length + 1, "truncated");
  if (count === 0) return null;
  if (held[count - 1].get("hmac") !== anchor.get("tip")) return fault(count, "rewritten");
  return held[count - 1].get("key_id") === anchor.get("key_id") ? null : fault(0, "anchor_forged");
}

const number = (value) => new Num(String(value));
const fault = (line, kind) => new Map([["line", number(line)], ["kind", kind]]);
const usable = (keys, found) => keys.get(found.get("key_id"))?.length >= SHORTEST_KEY;
const right = (keys, found) =>
  usable(keys, found) && hmacSha256(keys.get(found.get("key_id")), signed(found)) === found.get("hmac");
const texts = (found, ...names) => names.every((name) => typeof found.get(name) === "string");

function signed(found) {
  const rest = new Map(found);
  rest.delete("hmac");
  return canonical(rest);
}

// The object of a line; null where it has none, a key twice, or a float anywhere.
function object(line) {
  if (Buffer.byteLength(line) > LONGEST) return null;
  const twice = [];
  let found;
  try {
    found = parse(line, twice);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return null;
  }
  return found instanceof Map && twice.length === 0 && !floats(found) ? found : null;
}

function floats(value) {
  if (value instanceof Num) return !value.whole;
  if (value instanceof Map) return [...value.values()].some(floats);
  return Array.isArray(value) && value.some(floats);
}

function rowOf(line) {
  const row = object(line);
  if (row?.get("schema") !== "subject_audit.v1") return null;
  if (!texts(row, "subject_id", "key_id", "prev_hmac", "hmac")) return null;
  return (row.get("next_key_id") ?? null) === null || texts(row, "next_key_id") ? row : null;
}

function anchorOf(text) {
  const anchor = object(text);
  if (anchor === null || !texts(anchor, "subject_id", "tip", "key_id", "hmac")) return null;
  return anchor.get("count") instanceof Num ? anchor : null;
}

// Whether an anchor says what one can say: the tip of no rows is 64 zeros.
function possible(anchor) {
  const count = anchor.get("count").value;
  return count > 0 ? /^[0-9a-f]{64}$/.test(anchor.get("tip")) : count === 0 && anchor.get("tip") === NOTHING;
}

function keyOf(hex) {
  if (typeof hex !== "string" || !/^(?:[0-9a-fA-F]{2})*$/.test(hex)) throw new Refused("a key is no hex");
  return Buffer.from(hex, "hex");
}

function textOf(input, name) {
  if (typeof input.get(name) !== "string") throw new Refused(`the question has no ${name}`);
  return input.get(name);
}
