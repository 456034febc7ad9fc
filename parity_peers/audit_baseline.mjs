// audit_baseline: a log of baselines read and written again, the drift between its ends, a log that cannot be read.

import { Num, parse, Refused, write } from "./json.mjs";

const error = (name, line) => new Map([["error", name], ["line", new Num(String(line))]]);

export function auditBaseline(input) {
  const lines = input.get("log").split("\n");
  const entries = [];
  for (const [at, line] of lines.entries()) {
    if (!line.trim()) continue;
    if (at === lines.length - 1) return error("torn_last_line", at + 1);
    try {
      entries.push(parse(line));
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      return error("bad_line", at + 1);
    }
  }
  if (input.get("do") === "drift") return new Map([["rows", drift(entries[0].get("metrics"), entries.at(-1).get("metrics"))]]);
  return new Map([["lines", entries.map(write)]]);
}

function drift(prior, current) {
  return [...current.keys()].sort().map((metric) => {
    const row = new Map([["metric", metric]]);
    const now = current.get(metric);
    if (!prior.has(metric)) return row.set("current", now).set("flag", "first_run");
    const before = prior.get(metric);
    row.set("prior", before).set("current", now);
    if (before.value === 0) return row.set("flag", now.value === 0 ? "ok" : "warn");
    const change = (now.value - before.value) / Math.abs(before.value);
    return row.set("pct_change", new Num(String(100 * change))).set("flag", Math.abs(change) > 0.2 ? "warn" : "ok");
  });
}
