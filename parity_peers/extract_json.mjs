// extract_json by its plain rule: fenced blocks first, then the whole text; the leftmost brace at which JSON.parse takes an
// object. Quadratic, which the fixtures do not mind; fences stand at the start of a line here.

import { parse, Refused } from "./json.mjs";

const FENCED = /^[ \t]*(```+|~~~+)[^\n]*\n([\s\S]*?)(?:^[ \t]*\1[ \t]*\r?$|(?![\s\S]))/gm;

export function extractJson(text) {
  const blocks = [...text.matchAll(FENCED)].map((match) => match[2]);
  for (const block of [...blocks, text]) {
    const value = first(block);
    if (value !== null) return new Map([["matched", true], ["value", value]]);
  }
  return new Map([["matched", false], ["value", null]]);
}

function first(text) {
  for (let start = text.indexOf("{"); start >= 0; start = text.indexOf("{", start + 1)) {
    for (let end = text.indexOf("}", start); end >= 0; end = text.indexOf("}", end + 1)) {
      try {
        return parse(text.slice(start, end + 1));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
      }
    }
  }
  return null;
}
