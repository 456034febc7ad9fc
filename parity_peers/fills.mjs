// A fill against the roster: as many workers as were asked for, each of them there, fit and free.

import { fillShape } from "./shapes.mjs";
import { holdsSsn } from "./texts.mjs";
import { folded, forbidden, incomplete, inconsistent, named, shown, unknown } from "./wording.mjs";

// The stages in their order; one may count on what those before it found right.
export const fillStages = [
  fillShape,
  (payload) => {
    const [found, asked] = [payload.get("fills").length, payload.get("count")];
    return found === asked.value ? [] : [incomplete(`the number of fills is ${found}, ${asked.source} were asked for`)];
  },
  (payload, roster) => byEntry(payload, roster, inconsistent, (entry, at) => misplaced(payload, roster, entry, at)),
  (payload, roster, excluded) => [
    ...leaks(payload, ["contract_id", "role", "city", "state", "start"]).map(forbidden),
    ...byEntry(payload, roster, forbidden, (entry) => {
      const id = entry.get("worker_id");
      return [
        roster.get(id).get("blacklisted") === true && "is blacklisted",
        roster.get(id).get("available") === false && "is not available",
        excluded.has(id) && "is excluded",
        ...leaks(entry, ["name", "role", "city", "state", "reason"]),
      ].filter(Boolean);
    }),
  ],
];

const leaks = (texts, fields) =>
  fields
    .filter((field) => typeof texts.get(field) === "string" && holdsSsn(texts.get(field)))
    .map((field) => `the ${field} holds a social security number`);

function byEntry(payload, roster, tag, reasonsOf) {
  return payload.get("fills").flatMap((entry, at) => {
    const who = named(`fills[${at}]`, entry.get("worker_id"), roster);
    return reasonsOf(entry, at).map((reason) => tag(`${who}: ${reason}`));
  });
}

function misplaced(payload, roster, entry, at) {
  const id = entry.get("worker_id");
  if (!roster.has(id)) return [unknown(roster)];
  const first = payload.get("fills").findIndex((other) => other.get("worker_id") === id);
  if (first < at) return [`is in fills[${first}] already`];
  const worker = roster.get(id);
  const [role, city, state] = ["role", "city", "state"].map((field) => worker.get(field) || null);
  const reasons = [];
  if (role === null) reasons.push("the roster names no role");
  else if (!sameRole(role, payload.get("role"))) {
    reasons.push(`the role in the roster is ${shown(role)}, another was asked for`);
  }
  if (city === null || state === null) reasons.push("the roster names no city and state");
  else if (!same(city, payload.get("city")) || !same(state, payload.get("state"))) {
    reasons.push(`the place in the roster is ${shown(city)}, ${shown(state)}, another was asked for`);
  }
  for (const field of ["name", "role", "city", "state"]) {
    const [said, known] = [entry.get(field) ?? null, worker.get(field) ?? ""];
    const fits = said === null || (field === "role" ? sameRole : same)(known, said);
    if (!fits) reasons.push(`the ${field} is not the one in the roster`);
  }
  return reasons;
}

const place = (value) => folded(value).split(/[\p{White_Space}\x1c-\x1f]+/u).filter(Boolean).join(" ");
const same = (one, other) => place(one) === place(other);

// Of each word of more than three characters its plural: a last s that is not that of -ss, -us or -is, then a last e.
const singular = (word) => word.replace(/(?<=...)(?<![sui])s$/u, "").replace(/(?<=...)e$/u, "");
const role = (value) =>
  folded(value).replace(/[\p{L}\p{N}]+/gu, singular).replace(/[\p{White_Space}\x1c-\x1f_-]/gu, "");
const sameRole = (one, other) => one === other || (role(one) !== "" && role(one) === role(other));
