// validator: what is wrong with a fill, an email or a text message, in the words of docs/validators.md.
// Stage by stage, Schema, Completeness, Consistency, Policy: all errors of one stage, and none of the later ones.

import { fillStages } from "./fills.mjs";
import { Num, Refused } from "./json.mjs";
import { emailStages, smsStages } from "./letters.mjs";
import { schema, trimmed } from "./wording.mjs";

const KINDS = { email: emailStages, fill: fillStages, sms: smsStages };
const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const PARTS = ["kind", "payload", "roster", "exclude_ids"];

export function validator(input) {
  if (!(input instanceof Map) || !PARTS.every((part) => input.has(part))) throw new Refused(`it lacks one of ${PARTS}`);
  const [kind, payload, rows, excluded] = PARTS.map((part) => input.get(part));
  if (typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) {
    return answer(400, [schema("kind", `is no kind of payload, the kinds are ${Object.keys(KINDS).join(", ")}`)]);
  }
  const roster = rosterOf(rows);
  if (!Array.isArray(excluded) || !excluded.every(isText)) throw new Refused("the excluded ids are no list of texts");
  if (!(payload instanceof Map)) return answer(200, [schema("payload", "must be an object")]);
  for (const stage of KINDS[kind]) {
    const errors = stage(payload, roster, new Set(excluded));
    if (errors.length) return answer(200, errors);
  }
  return answer(200, []);
}

function rosterOf(rows) {
  if (!Array.isArray(rows) || !rows.every(isWorker)) throw new Refused("the roster is no list of workers");
  const roster = new Map(rows.map((row) => [row.get("id"), known(row)]));
  if (roster.size < rows.length) throw new Refused("an id stands twice in the roster");
  return roster;
}

// Blank is not there, and white space around a text is none of it.
function known(row) {
  const of = (field, value) => (isText(value) && field !== "id" ? trimmed(value) || null : value);
  return new Map([...row].map(([field, value]) => [field, of(field, value)]));
}

function isWorker(row) {
  if (!(row instanceof Map) || !isText(row.get("id")) || !ID.test(row.get("id"))) return false;
  const all = (fields, fits) => fields.every((field) => (row.get(field) ?? null) === null || fits(row.get(field)));
  const isFlag = (value) => typeof value === "boolean";
  return all(["name", "role", "city", "state", "email", "phone"], isText) && all(["available", "blacklisted"], isFlag);
}

const isText = (value) => typeof value === "string";
const answer = (status, errors) =>
  new Map([["status", new Num(String(status))], ["body", new Map([["ok", errors.length === 0], ["errors", errors]])]]);
