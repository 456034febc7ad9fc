// JSON without loss: JSON.parse says whether a text is JSON, and a walk over its tokens keeps what JSON.parse drops:
// the digits of a number (`Num`), the order of integer-like keys and `__proto__` (objects are Maps), keys that stand twice.
// Keys that stand twice are named object by object, in the order in which the objects end.
// Here: `parse`, `write` (compact, keys in their order) and `canonical` (RFC 8785, integers beyond 2^53 as digits).
// JSON.parse's reviver could give the source of a number too, but only from Node 22 on.

export class Refused extends Error {}

export class Num {
  constructor(source) {
    this.source = source;
    this.whole = /^-?\d+$/.test(source);
    this.value = Number(source);
    if (!Number.isFinite(this.value) && !this.whole) throw new Refused(`${source} is beyond a double`);
  }
}

const TOKEN = /[ \t\n\r]*("(?:[^"\\]|\\.)*"|[{}[\]:,]|[^ \t\n\r{}[\]:,]+)/y;
const LONE = /\p{Surrogate}/u;
const DEEPEST = 200;

export function parse(text, twice = []) {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new Refused(error.message);
  }
  TOKEN.lastIndex = 0;
  const next = () => TOKEN.exec(text)[1];
  const string = (token) => {
    const found = JSON.parse(token);
    if (LONE.test(found)) throw new Refused("a lone surrogate");
    return found;
  };
  const value = (token, depth) => {
    if (depth > DEEPEST) throw new Refused("too deep");
    if (token === "{") {
      const found = new Map();
      const repeated = [];
      for (token = next(); token !== "}"; token = next()) {
        if (token === ",") continue;
        const key = string(token);
        if (found.has(key)) repeated.push(key);
        next();
        found.set(key, value(next(), depth + 1));
      }
      for (const key of repeated) if (!twice.includes(key)) twice.push(key);
      return found;
    }
    if (token === "[") {
      const found = [];
      for (token = next(); token !== "]"; token = next()) if (token !== ",") found.push(value(token, depth + 1));
      return found;
    }
    if (token[0] === '"') return string(token);
    return { true: true, false: false, null: null }[token] ?? (token === "null" ? null : new Num(token));
  };
  return value(next(), 0);
}

export const write = (value) => encode(value, (map) => [...map], number);
export const canonical = (value) => encode(value, (map) => [...map].sort(byUnits), signedNumber);

const byUnits = ([one], [other]) => (one < other ? -1 : one > other ? 1 : 0);

function encode(value, entries, digits) {
  const inner = (item) => encode(item, entries, digits);
  if (value instanceof Num) return digits(value);
  if (value instanceof Map) return `{${entries(value).map(([key, item]) => `${JSON.stringify(key)}:${inner(item)}`)}}`;
  if (Array.isArray(value)) return `[${value.map(inner)}]`;
  return JSON.stringify(value);
}

// As a value is passed on: an integer keeps its digits; a double has its shortest ones, plain from 1e-5 up to 1e16 and with
// an exponent beyond, and keeps looking like a double where it is whole.
function number({ whole, source, value }) {
  if (whole) return BigInt(source).toString();
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size >= 1e16 || (size > 0 && size < 1e-5)) return value.toExponential().replace("e+", "e");
  if (Number.isInteger(value)) return `${value}.0`;
  return String(value);
}

// As a value is signed: Number::toString of ECMAScript, but for integers that it would round.
function signedNumber({ whole, source, value }) {
  return whole && !Number.isSafeInteger(value) ? BigInt(source).toString() : String(value);
}
