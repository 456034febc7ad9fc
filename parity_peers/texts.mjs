// What a text that goes to a person holds: its size as a text message, social security numbers, what was not filled in,
// addresses. Here: one text at a time. Not here: whose address it is, and what is wrong with it (`letters.mjs`).

import { domainToASCII } from "node:url";

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

// Three, two and four digits with the same between them, not the middle of a longer row of such; or nine after a word.
const NUMBERS = ["[-\\u00ad\\u2010-\\u2015\\u2212]", "[ \\u00a0\\u202f]", "\\."].map((sign) => {
  const number = `(\\d{3})${sign}(\\d{2})${sign}(\\d{4})`;
  return new RegExp(`(?<!\\d|\\d${sign})${number}(?!\\d|${sign}\\d)`, "gu");
});
const WORD = "\\b(?:ssns?|s\\.s\\.n\\.?|soc(?:ial)?[ -]sec(?:urity)?)(?![a-z])";
NUMBERS.push(new RegExp(`${WORD}[^\\d\\n]{0,20}?\\s?(\\d{3})(\\d{2})(\\d{4})(?!\\d)`, "giu"));

export const holdsSsn = (text) =>
  NUMBERS.some((pattern) =>
    [...text.normalize("NFKC").matchAll(pattern)].some(
      ([, area, group, serial]) => !/^(?:000|666|9)/.test(area) && group !== "00" && serial !== "0000",
    ),
  );

// Words in square brackets are a gap where they name what should stand there, or are one in capitals that is no label.
const NAMED = [
  "your|insert|enter|placeholder|tbd|xxx|name|first|last|company|employer|client|recipient|worker|contact|signature",
  "date|day|time|start|shift|site|city|state|address|location|phone|number|email|link|role|title|position|rate|pay",
].join("|");
const LABELS = "URGENT|IMPORTANT|CONFIRMED|NOTE|FYI|EXTERNAL|REMINDER|OK|UPDATE|NEW|ALERT|X";
const TAGS = [
  "A|B|I|U|P|S|BR|HR|LI|OL|UL|EM|TD|TR|TH|H[1-6]|DIV|SPAN|STRONG|SMALL|CENTER|FONT|CODE|PRE|BLOCKQUOTE",
  "HTML|HEAD|BODY|TITLE|META|LINK|STYLE|IMG|TABLE|TBODY|THEAD",
].join("|");
const GAPS = [
  new RegExp(`\\[(?=[^\\[\\]\\n]{1,60}\\])[^\\[\\]\\n]*\\b(?:${NAMED})\\b[^\\[\\]\\n]*\\](?!\\()`, "iu"),
  new RegExp(`\\[(?!(?:${LABELS})\\])[A-Z]{2,}\\](?!\\()`, "u"),
  /\[\[[^\[\]\n]+\]\]/u,
  /\{\{[^{}]*\}\}/u,
  /\{[A-Za-z_][\w. -]*\}/u,
  /\{%[^%{}]+%\}/u,
  /<insert\b[^<>]*>/iu,
  /<<[^<>\n]+>>/u,
  new RegExp(`<(?!(?:${TAGS})\\b)[A-Z][A-Z0-9_ ]*>`, "u"),
  new RegExp(`<(?:your )?(?:${NAMED})(?:[ _](?:${NAMED}))*>`, "iu"),
  /(?<!\d)%[A-Za-z][A-Za-z0-9_]*%/u,
  /\*\|[A-Za-z][A-Za-z0-9_:]*\|\*/u,
  /__[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*__/u,
];

export const holdsGap = (text) => GAPS.some((pattern) => pattern.test(text));

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

// The digits of a number as it is dialled at home: without 00, and without the country's 1.
export const digitsOf = (text) => text.replace(/\D/g, "").replace(/^00/, "").replace(/^1(?=\d{10}$)/, "");
export const isPhone = (text) =>
  /^ *\+?[\d ()./\u00a0\u2010-\u2015-]+$/.test(text) && /^\d{7,15}$/.test(text.replace(/\D/g, ""));

// Whether a text says a number or an address, in whatever form, and not as a part of a longer one.
export function saysPhone(text, phone) {
  const digits = digitsOf(phone);
  if (digits.length < 7) return false;
  const between = "[ ()./\\u00a0\\u2010-\\u2015-]{0,3}";
  const written = `(?:00)?(?:1${between})?${[...digits].join(between)}`;
  return new RegExp(`(?<!\\d)${written}(?!\\d)`, "u").test(text.normalize("NFKC"));
}

export function saysAddress(text, address) {
  if (!address.includes("@")) return false;
  const folded = (value) => value.normalize("NFKC").toLowerCase();
  const written = folded(address).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const longer = "[\\p{L}\\p{N}]|[.-][\\p{L}\\p{N}]";
  return new RegExp(`(?<![\\p{L}\\p{N}.%+-])${written}(?!${longer})`, "u").test(folded(text));
}
