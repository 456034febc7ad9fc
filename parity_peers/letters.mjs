// Emails and text messages: to the worker whom they are for, of a size that can be sent, holding nothing that leaks.

import { holdsGap } from "./gaps.mjs";
import { emailShape, smsShape } from "./shapes.mjs";
import { addressesIn, digitsOf, holdsSsn, messageSize, phonesIn } from "./texts.mjs";
import { blank, folded, forbidden, incomplete, inconsistent, named, seen, unknown, withoutRoster } from "./wording.mjs";

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
    const others = (field, key, said) => {
      const keys = (workers) => [...workers].map((worker) => key(worker.get(field) ?? "")).filter(Boolean);
      const [mine, all] = [keys(own), keys(roster.values())];
      return (content) =>
        [content, seen(content)].some((one) => said(one, all).some((found) => !mine.includes(found)));
    };
    const address = (value) => (value.includes("@") ? folded(value) : "");
    const holding = (what) => (where) => `the ${where} holds ${what}`;
    return [
      ...each(payload, holdsSsn, holding(SSN)),
      ...each(payload, others("email", address, addressesIn), holding("the email of another worker")),
      ...each(payload, others("phone", digitsOf, phonesIn), holding("the phone number of another worker")),
    ].map(forbidden);
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

function addressee(payload, roster, field, key) {
  const id = payload.get("worker_id") ?? null;
  const to = payload.get("to") ?? null;
  if (id !== null && !roster.has(id)) return [`${named("worker_id", id, roster)}: ${unknown(roster)}`];
  if (id === null || to === null) return [];
  const called = { email: "email", phone: "phone number" }[field];
  const known = roster.get(id).get(field) || null;
  if (known === null) return [`to: the roster has no ${called} of ${id}`];
  return key(known) !== "" && key(known) === key(to) ? [] : [`to: is not the ${called} of ${id}`];
}

// Whom an email is for: the worker it names, else everybody with that address.
function recipients(payload, roster) {
  const id = payload.get("worker_id") ?? null;
  if (id !== null) return [roster.get(id)];
  return [...roster.values()].filter((worker) => lower(worker.get("email") || "") === lower(payload.get("to")));
}
