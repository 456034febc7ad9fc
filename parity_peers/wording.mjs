// The words of validators: an error under its tag, and how a reason repeats what stood there (docs/validators.md).

export const schema = (field, reason) => new Map([["Schema", new Map([["field", field], ["reason", reason]])]]);
const tagged = (tag) => (reason) => new Map([[tag, new Map([["reason", reason]])]]);
export const [incomplete, inconsistent, forbidden] = ["Completeness", "Consistency", "Policy"].map(tagged);

// What nobody sees: controls but for white space, what Unicode says may be ignored, anchors, the braille without a dot.
const UNSEEN = "(?![\\p{White_Space}\\x1c-\\x1f])[\\p{Cc}\\p{Default_Ignorable_Code_Point}\\ufff9-\\ufffb\\u2800]";
const NOTHING = new RegExp(`^(?:[\\p{White_Space}\\x1c-\\x1f]|${UNSEEN})*$`, "u");
const HIDDEN = new RegExp(UNSEEN, "gu");

export const blank = (value) => NOTHING.test(value);

export const trimmed = (value) => value.replace(/^[\p{White_Space}\x1c-\x1f]+|[\p{White_Space}\x1c-\x1f]+$/gu, "");

// Case folding, which toLowerCase alone is not: ß is ss, ς is σ; and ı stays, which has no capital of its own.
export function caseless(value) {
  const part = (one) => one.toLowerCase().toUpperCase().toLowerCase();
  return value.split("ı").map(part).join("ı").replaceAll("ς", "σ");
}

// How a text looks: wide letters and signs are plain ones, and what nobody sees is not there.
export const seen = (value) => value.normalize("NFKC").replace(HIDDEN, "");

export const folded = (value) => caseless(value.normalize("NFKC"));

// On one line, 80 characters of it.
export function shown(value) {
  const line = [...value.replace(/\p{Cs}/gu, "?").replace(/[\p{Cc}\u2028\u2029]/gu, " ")];
  return line.length > 80 ? `${line.slice(0, 79).join("")}…` : line.join("");
}

// A worker by where the payload names them; an id that nobody has is repeated only where it looks like one.
export function named(where, id, roster) {
  return roster.has(id) || /^[A-Za-z]{1,3}-[0-9]{1,9}$/.test(id) ? `${where} (${shown(id)})` : where;
}

export const unknown = (roster) => `the roster has no such worker${withoutRoster(roster)}`;
export const withoutRoster = (roster) => (roster.size ? "" : ", for there is no roster");
