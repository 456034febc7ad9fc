// The Schema of the payloads that validators take: fields in their order, each `value -> reason or null`.
// Here: types and single fields. Not here: what fields mean together (`fills.mjs`, `letters.mjs`).

import { Num } from "./json.mjs";
import { isAddress, isPhone } from "./texts.mjs";
import { blank, schema, shown } from "./wording.mjs";

const ONE_LINE = "must be one line without control characters";

const text = (value) => (typeof value === "string" ? null : "must be a text");
const line = (value) => text(value) ?? (/[\p{Cc}\u2028\u2029]/u.test(value) ? ONE_LINE : null);
const filled = (value) => text(value) ?? (blank(value) ? "is empty" : null);
const short = (value) => filled(value) ?? ([...value].length > 200 ? "is longer than 200 characters" : line(value));
const measure = (value) => (value instanceof Num ? null : "must be a number");
const list = (value) => (Array.isArray(value) ? null : "must be a list");
const address = (value) => filled(value) ?? (isAddress(value) ? null : "is no email address");
const phone = (value) => filled(value) ?? (isPhone(value) ? null : "is no phone number");
const amount = (value) => {
  if (!(value instanceof Num) || !value.whole) return "must be a whole number";
  return value.value < 1 ? "must be 1 or more" : null;
};

// One that may be absent may be null as well.
const optional = (fits) => Object.assign((value) => fits(value), { optional: true });

const FILL = { contract_id: short, role: short, city: short, state: short, start: short, count: amount, fills: list };
const ENTRY = {
  worker_id: short,
  name: optional(short),
  role: optional(short),
  city: optional(short),
  state: optional(short),
  reason: optional(text),
  score: optional(measure),
};
const EMAIL = { to: address, subject: line, body: text, worker_id: optional(short) };
const SMS = { to: optional(phone), body: text, worker_id: optional(short) };

export const emailShape = (payload) => shape(payload, EMAIL, "an email");
export const smsShape = (payload) => shape(payload, SMS, "a text message");

export function fillShape(payload) {
  const fills = payload.get("fills");
  return [...shape(payload, FILL, "a fill"), ...(Array.isArray(fills) ? fills.flatMap(entryShape) : [])];
}

function entryShape(entry, at) {
  if (!(entry instanceof Map)) return [schema(`fills[${at}]`, "must be an object")];
  return shape(entry, ENTRY, "an entry of fills", `fills[${at}].`);
}

function shape(found, fields, what, prefix = "") {
  const errors = [];
  for (const [field, fits] of Object.entries(fields)) {
    const value = found.get(field);
    if (fits.optional && (value === undefined || value === null)) continue;
    const reason = value === undefined ? "is missing" : fits(value);
    if (reason !== null) errors.push(schema(prefix + field, reason));
  }
  const others = [...found.keys()].filter((field) => !Object.hasOwn(fields, field));
  return [...errors, ...others.map((field) => schema(prefix + shown(field), `is no field of ${what}`))];
}
