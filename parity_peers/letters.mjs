// Emails and text messages: to the worker whom they are for, of a size that can be sent, holding nothing that leaks.

import { emailShape, smsShape } from "./shapes.mjs";
import { digitsOf, holdsGap, holdsSsn, messageSize, saysAddress, saysPhone } from "./texts.mjs";
import { blank, forbidden, incomplete, inconsistent, named, unknown, withoutRoster } from "./wording.mjs";

const SSN = "a social security number";
const GAP = "a placeholder that was not filled in";

// The stages in their order; one may count on what those before it found right.
export const emailStages = [
  emailShape,
  (payload) => {
    const size = [...payload.get("subject")].length;
    return [
      ...each(payload, blank, (where) => `the ${where} is empty`),
      ...(size > 200 ? [`the subject has ${size} characters, 200 at most`] : []),
      ...each(payload, holdsGap, (where) => `the ${where} holds ${GAP}`),
    ].map(incomplete);
  },
  (payload, roster) => {
    const id = payload.get("worker_id") ?? null;
    if (id !== null) return addressee(payload, roster, "email", lower).map(inconsistent);
    if (recipients(payload, roster).length) return [];
    return [inconsistent(`to: no worker of the roster has this email${withoutRoster(roster)}`)];
  },
  (payload, roster) => {
    const own = recipients(payload, roster);
    const others = (field, folded) => {
      const known = (workers) => [...workers].map((worker) => folded(worker.get(field) || ""));
      const [mine, all] = [known(own), known(roster.values())];
      return all.filter((value) => value && !mine.includes(value));
    };
    const [addresses, phones] = [others("email", lower), others("phone", digitsOf)];
    const leaks = (where) => {
      const content = payload.get(where);
      return [
        addresses.some((value) => saysAddress(content, value)) && `the ${where} holds the email of another worker`,
        phones.some((value) => saysPhone(content, value)) && `the ${where} holds the phone number of another worker`,
      ].filter(Boolean);
    };
    const numbers = each(payload, holdsSsn, (where) => `the ${where} holds ${SSN}`);
    return [...numbers, ...leaks("subject"), ...leaks("body")].map(forbidden);
  },
];

export const smsStages = [
  smsShape,
  (payload) => {
    const body = payload.get("body");
    const { units, limit, called } = messageSize(body);
    return [
      blank(body) && "the body is empty",
      units > limit && `the body has ${units} ${called}, ${limit} at most`,
      holdsGap(body) && `the body holds ${GAP}`,
    ].filter(Boolean).map(incomplete);
  },
  (payload, roster) => addressee(payload, roster, "phone", digitsOf).map(inconsistent),
  (payload) => (holdsSsn(payload.get("body")) ? [forbidden(`the body holds ${SSN}`)] : []),
];

const lower = (value) => value.toLowerCase();
const each = (payload, holds, reason) => ["subject", "body"].filter((where) => holds(payload.get(where))).map(reason);

function addressee(payload, roster, field, folded) {
  const id = payload.get("worker_id") ?? null;
  const to = payload.get("to") ?? null;
  if (id !== null && !roster.has(id)) return [`${named("worker_id", id, roster)}: ${unknown(roster)}`];
  if (id === null || to === null) return [];
  const called = { email: "email", phone: "phone number" }[field];
  const known = roster.get(id).get(field) || null;
  if (known === null) return [`to: the roster has no ${called} of ${id}`];
  return folded(known) === folded(to) ? [] : [`to: is not the ${called} of ${id}`];
}

// Whom an email is for: the worker it names, else everybody with that address.
function recipients(payload, roster) {
  const id = payload.get("worker_id") ?? null;
  if (id !== null) return [roster.get(id)];
  return [...roster.values()].filter((worker) => lower(worker.get("email") || "") === lower(payload.get("to")));
}
