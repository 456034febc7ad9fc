// What a text still has to be filled in with: the rule of docs/validators.md, over a text as it looks.

import { seen } from "./wording.mjs";

const WANTED = new Set(
  [
    "name firstname lastname surname date address phone email number city state zip rate salary wage amount signature",
    "company agency client customer employer recruiter coordinator manager supervisor recipient contact title location",
    "street code info information details link url placeholder blank tbd todo xxx nombre apellido fecha dirección",
    "direccion teléfono telefono empresa hora",
  ].flatMap((line) => line.split(" ")),
);
const ALONE = new Set("time day site job shift pay worker candidate employee role position".split(" "));
const BEFORE_THEM = new Set("start end arrival date shift job work".split(" "));
const SMALL = new Set(
  (
    "a an the this that any every same no not all more to at in on up by for from with out off as is are be was " +
    "please see ask call text our my their his her"
  ).split(" "),
);

const START = "[\\p{L}\\p{Nl}\\p{No}_]";
const ALWAYS = [
  "\\{\\{[^{}\\n]{0,80}\\}\\}",
  "\\{%[^{}\\n]{0,80}%\\}",
  "\\[\\[[^\\[\\]\\n]{1,80}\\]\\]",
  "<<[^<>\\n]{1,80}>>",
  `\\{${START}[\\p{L}\\p{N}_ .-]{0,79}\\}`,
  "\\*\\|[A-Za-z][A-Za-z0-9_:]{0,79}\\|\\*",
  "(?<![A-Za-z0-9%])%%?[A-Za-z][A-Za-z_]{2,79}%",
  "(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]{0,76}[A-Z0-9]__(?![A-Za-z0-9_])",
  // A line to write on; ten and more that have a line for themselves are a rule under a paragraph.
  "(?<![\\p{L}\\p{N}_])(?!(?<![^\\n])_{10,}[ \\t\\r]*(?:\\n|$))_{3,}(?![\\p{L}\\p{N}_])",
].map((pattern) => new RegExp(pattern, "u"));

const NO_LINK = "(?!\\[|:[ \\t]*<?(?:https?|mailto|tel):)";
const SQUARE = new RegExp(`(?<!\\])\\[([ $*"'(]{0,3}${START}[^\\[\\]\\n]{0,79})\\]${NO_LINK}`, "gu");
const ANGLE = new RegExp(`<([ $]{0,2}${START}[^<>@=\\n]{0,79})>`, "gu");
const ADDRESS = /^\([^\s()]{1,2000}(?:[ \t][^()\n]{0,200})?\)/u;
const TAGS = ["address", "time", "title", "link"];

export function holdsGap(text) {
  const plain = seen(text);
  if (ALWAYS.some((pattern) => pattern.test(plain))) return true;
  const squares = [...plain.matchAll(SQUARE)].filter((found) => !isLink(plain.slice(found.index + found[0].length)));
  if (squares.some(([, words]) => wants(words))) return true;
  const angles = [...plain.matchAll(ANGLE)].map(([, words]) => words);
  return angles.some((words) => !words.includes("://") && !TAGS.includes(words.toLowerCase()) && wants(words));
}

const isLink = (after) => /[:/.#]/.test(ADDRESS.exec(after)?.[0] ?? "");

function wants(inside) {
  if (/^(?:[A-Z0-9]+(?:_[A-Z0-9]+)+|\$[\p{L}\p{Nl}\p{No}_].*)$/u.test(inside.trim())) return true;
  const words = [...inside.toLowerCase().matchAll(/[\p{L}\p{N}]+/gu)].map(([word]) => word);
  const said = words.filter((word) => word !== "and" && word !== "or");
  if (["insert", "your"].includes(said[0])) return true;
  if (said.length > 1 && said.at(-1) === "here") said.pop();
  if (said.length > 4 || said.some((word) => SMALL.has(word))) return false;
  return WANTED.has(said.at(-1)) || (ALONE.has(said.at(-1)) && (said.length === 1 || BEFORE_THEM.has(said.at(-2))));
}
