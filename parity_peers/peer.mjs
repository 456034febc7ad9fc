// A second implementation, in another language, for `lakehouse parity --peer command:"node parity_peers/peer.mjs"`.
// Here: the exchange. One question on stdin, `{"probe", "input"}`; one answer on stdout: `{"answer"}`, or `{"unsupported"}`.
// Not here: the answers (a module per probe). It shares no code with the Python packages and uses no npm package.

import { readFileSync } from "node:fs";
import { auditBaseline } from "./audit_baseline.mjs";
import { extractJson } from "./extract_json.mjs";
import { canonical, parse, write } from "./json.mjs";
import { materialize } from "./materializer.mjs";
import { sha256 } from "./signing.mjs";

const probes = {
  audit_baseline: auditBaseline,
  canonical_json(input) {
    const text = canonical(parse(input.get("json")));
    return new Map([["canonical", text], ["sig_hash", sha256(text)]]);
  },
  extract_json: (input) => extractJson(input.get("text")),
  materializer: materialize,
};

const question = parse(readFileSync(0, "utf8"));
const name = question.get("probe");
const reply = Object.hasOwn(probes, name)
  ? new Map([["answer", probes[name](question.get("input"))]])
  : new Map([["unsupported", `it knows ${Object.keys(probes).join(", ")}`]]);
process.stdout.write(write(reply) + "\n");
