// What a text that goes to a person holds: its size as a text message, social security numbers, addresses and phone
// numbers. Here: one text at a time. Not here: whose address it is, and what is wrong with it (`letters.mjs`), what is
// left to fill in (`gaps.mjs`).

import { domainToASCII } from "node:url";

import { caseless, seen } from "./wording.mjs";

const GSM_7 = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const EXTENDED = new Set("\f^{}\\[~]|€");

// GSM 03.38 where every character is in it, else UCS-2.
export function messageSize(text) {
  const characters = [...text];
  if (!characters.every((one) => GSM_7.has(one) || EXTENDED.has(one))) {
    return { units: text.length, limit: 70, called: "units in UCS-2" };
  }
  const septets = characters.length + characters.filter((one) => EXTENDED.has(one)).length;
  return { units: septets, limit: 160, called: "septets in GSM-7" };
}

// Three, two and four digits with the same kind of sign between them, not the middle of a longer row of such.
const DASH = "[-\\u00ad\\u2010-\\u2015\\u2212\\ufe58\\ufe63\\uff0d]";
const SPACE = "[ \\u00a0\\u2000-\\u200a\\u202f\\u205f\\u3000]";
const NUMBERS = [[DASH, ""], [SPACE, ""], ["\\.", "vV"]].map(([sign, no]) => {
  const before = `(?<![\\d${no}])(?<!\\d${DASH})(?<!\\d${sign})`;
  return new RegExp(`${before}(\\d{3})${sign}(\\d{2})${sign}(\\d{4})(?!\\d|${DASH}\\d|${sign}\\d)`, "gu");
});
// A dash between digits, with the white space beside it; but for one that begins a line and has white space after it.
const LINE_END = "[\\n\\v\\f\\r\\x85\\u2028\\u2029]";
const WHITE = "[\\p{White_Space}\\x1c-\\x1f]";
const LOOSE = new RegExp(`(?<=\\d)${WHITE}*(?:(?<!${LINE_END}${WHITE}*)${DASH}${WHITE}*|${DASH})(?=\\d)`, "gu");
const NINE = /(?<!\d)(\d{3})(\d{2})(\d{4})(?!\d)/gu;
const SAYS_SO = [
  /(?<![A-Za-z]|pii_)[Ss]\.?[Ss]\.?(?:[Nn]| ?#)/gu,
  /(?<=[a-z])S(?:SN|sn)/gu,
  /[Ss][Oo][Cc](?:[Ii][Aa][Ll])?[\s._-]{0,3}[Ss][Ee][Cc](?:[Uu][Rr][Ii][Tt][Yy])?(?![a-z])/gu,
];
const ORDER_WORD = "order|invoice|ticket|item|part|lot|job|quote|ref|reference|tracking|ord|inv|po|so|wo|sku|rma";
const ORDER = new RegExp(`(?<![a-z0-9])(?:(?:${ORDER_WORD})(?:[-\\u2010\\u2011]| ?#))$`, "i");
const CODE = /(?<![A-Za-z0-9])([A-Z]{2,5})[-\u2010\u2011]$/;
const NO_CODES = "SS SSA SSN SSNS SOC SEC TIN ITIN TAX ID NO NR NUM PII DOB IS MY HIS HER".split(" ");

export function holdsSsn(text) {
  const plain = seen(text);
  const read = (escaped) =>
    escaped.replace(/\\+(?:u([0-9a-fA-F]{4})|[bfnrt])/gu, (_, code) => String.fromCharCode(parseInt(code ?? "a", 16)));
  const forms = [text, plain].flatMap((one) => [one, one.replace(LOOSE, "-")]);
  return forms.flatMap((one) => [one, read(one)]).some((one) => numbered(one));
}

function numbered(text) {
  const words = SAYS_SO.flatMap((word) => [...text.matchAll(word)]);
  const said = (at) => words.some((word) => word.index >= at - 60 && word.index + word[0].length <= at);
  const given = (pattern) =>
    [...text.matchAll(pattern)]
      .filter(([, area, group, serial]) => !/^(?:000|666|9)/.test(area) && group !== "00" && serial !== "0000")
      .map((found) => found.index);
  return given(NINE).some(said) || NUMBERS.flatMap(given).some((at) => said(at) || !ordered(text.slice(0, at)));
}

function ordered(before) {
  const code = CODE.exec(before.slice(-12));
  return ORDER.test(before.slice(-12)) || (code !== null && !NO_CODES.includes(code[1]));
}

const ATOM = "(?:[\\w!#$%&'*+/=?^`{|}~-]|(?![\\x00-\\x7f\\p{C}\\p{Z}]).)+";
const LOCAL = new RegExp(`^${ATOM}(?:\\.${ATOM})*$`, "u");
const DOMAIN = /^[\p{L}\p{N}\p{M}.\u3002\uff0e\uff61-]+$/u;
const LABEL = /^(?!(?!xn)..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const RESERVED = new Set(["arpa", "invalid", "local", "localhost", "onion", "test"]);

// An address as mail is sent to it: no display name, no quotes, no domain in brackets, no name of a special use.
export function isAddress(text) {
  const at = text.lastIndexOf("@");
  const domain = domainToASCII(text.slice(at + 1));
  const labels = domain.split(".");
  if (!LOCAL.test(text.slice(0, Math.max(at, 0))) || !DOMAIN.test(text.slice(at + 1))) return false;
  if (Buffer.byteLength(text) > 254 || domain.length > 253) return false;
  if (labels.length < 2 || !labels.every((label) => LABEL.test(label)) || !/[a-z]$/i.test(domain)) return false;
  return !RESERVED.has(labels.at(-1).toLowerCase());
}

// The digits of a number as it is dialled at home: without an extension, 00 and the country's 1; "" where they are none.
export const digitsOf = (text) => national(text.normalize("NFKC").split(/[xX#]/)[0].replace(/\D/g, ""));
export const isPhone = (text) =>
  /^\+?[-\d. ()/\u00a0\u00ad\u2010-\u2015\u2212]{7,40}$/.test(text) && /^\d{7,15}$/.test(text.replace(/\D/g, ""));

function national(digits) {
  const home = digits.replace(/^00/, "").replace(/^1(?=\d{10}$)/, "");
  return /^\d{7,15}$/.test(home) ? home : "";
}

// What of a roster a text says, each as [begin, end, which]: numbers in whatever groups, addresses as they are.
// Who stands within a longer one is not said.
export function phonesIn(text, known) {
  const between = "[^\\p{L}\\p{N}]{0,4}";
  return outermost(text, known, (digits) => {
    const written = [...digits].join(between);
    const country = digits.length === 10 ? `(?:1${between})?` : "";
    return `(?<!\\d)(?:0${between}0${between})?${country}${written}(?!\\d)`;
  });
}

export function addressesIn(text, known) {
  return outermost(caseless(text), known, (address) => {
    const written = address.replace(/[\\^$.*+?()[\]{}|/-]/g, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);
    return `(?<![\\p{L}\\p{Nd}])(?<![\\p{L}\\p{Nd}][._+-])${written}(?![\\p{L}\\p{Nd}])`;
  });
}

function outermost(text, known, pattern) {
  const spans = [...new Set(known)].flatMap((one) =>
    [...text.matchAll(new RegExp(pattern(one), "gu"))].map(({ index, 0: found }) => [index, index + found.length, one]),
  );
  const within = ([begin, end], [from, to]) => from <= begin && end <= to && to - from > end - begin;
  return spans.filter((span) => !spans.some((other) => within(span, other))).map(([, , one]) => one);
}
