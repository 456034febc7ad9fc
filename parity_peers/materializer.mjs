// materializer: from the raw lines of streams to the lines of their evidence, by the row's own day (UTC).
// Here: reading lines, their day, signatures and duplicates. Not here: what a stream's row means (`streams.mjs`).

import { canonical, Num, parse, Refused, write } from "./json.mjs";
import { sha256 } from "./signing.mjs";
import { evidenceOf, STREAMS } from "./streams.mjs";

const STAMPS = ["ts", "timestamp", "created_at", "reviewed_at", "audited_at", "extracted_at"];
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)?$/;

export function materialize(input) {
  const evidence = new Map();
  const seen = new Set();
  const files = [...input.get("files")].sort((one, other) => (one.get("path") < other.get("path") ? -1 : 1));
  for (const file of files) {
    const path = file.get("path");
    const stream = path.replace(/^_kb\//, "").replace(/\/.*|\.jsonl$/, "");
    if (!Object.hasOwn(STREAMS, stream)) continue;
    const lines = file.get("lines");
    const whole = file.get("torn") ? lines.slice(0, -1) : lines;
    for (const [offset, line] of whole.entries()) {
      const found = attempt(() => evidenceLine(stream, path, offset, line));
      if (found === null) continue;
      const key = `evidence/${found.day.replaceAll("-", "/")}/${stream}.jsonl`;
      if (seen.has(key + found.signature)) continue;
      seen.add(key + found.signature);
      if (!evidence.has(key)) evidence.set(key, []);
      evidence.get(key).push(found.text);
    }
  }
  return new Map([["evidence", new Map([...evidence].sort())]]);
}

function attempt(step) {
  try {
    return step();
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

function evidenceLine(stream, path, offset, line) {
  const twice = [];
  const row = parse(textOf(line), twice);
  if (!(row instanceof Map)) throw new Refused("no object");
  const signature = sha256(canonical(row));
  const stamp = STAMPS.map((key) => row.get(key)).find((value) => value !== undefined && value !== null);
  const moment = read(stamp);
  const marks = new Map();
  if (twice.length) marks.set("duplicate_keys", twice);
  if (moment.assumed) marks.set("timestamp_assumed_utc", true);
  const provenance = new Map([["source_file", path], ["line_offset", new Num(String(offset))], ["sig_hash", signature]]);
  const record = evidenceOf(stream, row, { provenance, signature, timestamp: moment.text, marks });
  return { day: moment.day, signature, text: write(record) };
}

function textOf(line) {
  if (typeof line === "string") return line;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(line.get("base64"), "base64"));
  } catch {
    throw new Refused("not UTF-8");
  }
}

// A stamp's day in UTC, its text as it was written, and whether it lacked an offset.
function read(stamp) {
  if (stamp instanceof Num) {
    const unit = [[1e11, 1e3], [1e14, 1], [1e17, 1e-3], [1e20, 1e-6]].find(([limit]) => stamp.value < limit);
    if (unit === undefined || stamp.value < 1e9) throw new Refused("no epoch");
    return { day: dayOf(stamp.value * unit[1]), text: stamp.source, assumed: false };
  }
  const match = typeof stamp === "string" ? RFC3339.exec(stamp) : null;
  if (match === null) throw new Refused("no time");
  const [year, month, date, hour, minute, second] = match.slice(1, 7).map(Number);
  const utc = Date.UTC(year, month - 1, date, hour, minute, second);
  if (dayOf(utc) !== match.slice(1, 4).join("-") || hour > 23 || minute > 59 || second > 59) throw new Refused("no time");
  const zone = match[7];
  const sign = zone?.[0] === "-" ? -1 : 1;
  const ahead = zone && zone.length > 1 ? sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))) : 0;
  return { day: dayOf(utc - ahead * 60_000), text: stamp, assumed: zone === undefined };
}

const dayOf = (milliseconds) => new Date(milliseconds).toISOString().slice(0, 10);
