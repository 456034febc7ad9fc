// The words of validators: an error under its tag, and how a reason repeats what stood there (docs/validators.md).

export const schema = (field, reason) => new Map([["Schema", new Map([["field", field], ["reason", reason]])]]);
const tagged = (tag) => (reason) => new Map([[tag, new Map([["reason", reason]])]]);
export const [incomplete, inconsistent, forbidden] = ["Completeness", "Consistency", "Policy"].map(tagged);

export const blank = (value) => /^[\p{White_Space}\x1c-\x1f]*$/u.test(value);

// On one line, 80 characters of it.
export function shown(value) {
  const line = [...value.replace(/[\p{Cc}\u2028\u2029]/gu, " ")];
  return line.length > 80 ? `${line.slice(0, 79).join("")}…` : line.join("");
}

// A worker by where the payload names them; an id that nobody has is repeated only where it looks like one.
export function named(where, id, roster) {
  return roster.has(id) || /^[A-Za-z]{1,3}-[0-9]{1,9}$/.test(id) ? `${where} (${shown(id)})` : where;
}

export const unknown = (roster) => `the roster has no such worker${withoutRoster(roster)}`;
export const withoutRoster = (roster) => (roster.size ? "" : ", for there is no roster");
