// A second implementation, in another language, for `lakehouse parity --peer command:"node parity_peers/peer.mjs"`.
// Here: the exchange. `{"probe", "input"}` on stdin; one of `{"answer"}`, `{"unsupported"}` and `{"error"}` on stdout.
// Not here: the answers (a module per probe). It shares no code with the Python packages and uses no npm package.

import { readFileSync } from "node:fs";
import { auditBaseline } from "./audit_baseline.mjs";
import { extractJson } from "./extract_json.mjs";
import { canonical, parse, Refused, write } from "./json.mjs";
import { materialize } from "./materializer.mjs";
import { sessionLog } from "./session_log.mjs";
import { sha256 } from "./signing.mjs";
import { subjectAudit } from "./subject_audit.mjs";
import { validator } from "./validator.mjs";

const probes = {
  audit_baseline: auditBaseline,
  canonical_json(input) {
    const text = canonical(parse(input.get("json")));
    return new Map([["canonical", text], ["sig_hash", sha256(text)]]);
  },
  extract_json: (input) => extractJson(input.get("text")),
  materializer: materialize,
  session_log: sessionLog,
  subject_audit: subjectAudit,
  validator,
};

function reply(question) {
  const name = question.get("probe");
  if (!Object.hasOwn(probes, name)) return new Map([["unsupported", `it knows ${Object.keys(probes).join(", ")}`]]);
  try {
    return new Map([["answer", probes[name](question.get("input"))]]);
  } catch (fault) {
    if (!(fault instanceof Refused)) throw fault;
    return new Map([["error", fault.message]]);
  }
}

process.stdout.write(write(reply(parse(readFileSync(0, "utf8")))) + "\n");
