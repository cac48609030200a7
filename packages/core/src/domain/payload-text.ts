/** Payloads, meta data and outputs as JSON text: what is sent is what arrives, or it is refused. Pure. */

import { describeValue, type ErrorCode, LineshaftError } from './errors.ts';

/** How deep arrays and objects may be nested: deeper ones overflow the stack of some reader on their way. */
const maxDepth = 500;

/** Why a value is not plain JSON, and where: the path is built outwards from the place. */
interface Trouble {
  path: string;
  readonly reason: string;
}

/**
 * A payload as JSON text that PostgreSQL can keep; undefined becomes `{}`.
 *
 * Refused, with the place: what JSON would lose or change without a word (functions, symbols, BigInt, NaN and
 * infinities, invalid dates, Map, Set, Error, RegExp, promises, undefined in an array), cycles, more than 500
 * levels, NUL characters and halves of surrogate pairs. Left out without a word: fields that are undefined.
 * An object with `toJSON` stands for what that returns.
 *
 * @param maxBytes Most bytes that the text may have as UTF-8.
 * @param field What messages call it.
 * @throws PAYLOAD_INVALID with `details.path`; PAYLOAD_TOO_LARGE with `details.bytes` and `details.maxBytes`.
 * @example payloadToText({ to: 'ada@example.org' }, 1024) // '{"to":"ada@example.org"}'
 */
export function payloadToText(payload: unknown, maxBytes: number, field = 'payload'): string {
  const text = payload === undefined ? '{}' : jsonText(payload, field, 'PAYLOAD_INVALID');
  if (text.length * 3 > maxBytes) {
    const bytes = utf8Bytes(text);
    if (bytes > maxBytes) {
      throw new LineshaftError('PAYLOAD_TOO_LARGE', {
        message:
          `${field} has ${bytes} bytes; at most ${maxBytes} are allowed: ` +
          'store the data elsewhere and send a reference, or raise the setting payloadMaxBytes',
        details: { field, bytes, maxBytes },
      });
    }
  }
  return text;
}

/**
 * Any value but undefined as JSON text, by the rules of `payloadToText`, of any size.
 *
 * @throws The given code, with `details.path`.
 */
export function jsonText(value: unknown, field: string, code: ErrorCode): string {
  const text = textOrTrouble(value);
  if (typeof text === 'string') return text;
  throw new LineshaftError(code, {
    message: `${field} is not plain JSON: ${field}${text.path} ${text.reason}`,
    details: { field, path: field + text.path },
    cause: text.cause,
  });
}

/** How many bytes a well-formed text has as UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let place = 0; place < text.length; place++) {
    const unit = text.charCodeAt(place);
    if (unit < 0x80) continue;
    // A pair of surrogates has four bytes: two for each of its halves.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

function textOrTrouble(value: unknown): string | (Trouble & { readonly cause?: unknown }) {
  let text: string | undefined;
  try {
    const trouble = troubleOf(value, 0);
    if (trouble !== undefined) return trouble;
    text = JSON.stringify(value);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.split('\n', 1)[0] : describeValue(cause);
    return { path: '', reason: `cannot be read: ${message}`, cause };
  }
  if (text === undefined) return { path: '', reason: 'gives nothing: its toJSON returns undefined' };
  return text.includes('\\u') && brokenEscape.test(text) ? brokenPlace(JSON.parse(text)) : text;
}

/**
 * An escape that PostgreSQL refuses: `JSON.stringify` escapes NUL and unpaired surrogates, in lower case.
 * Backslashes before it that are escaped themselves come in pairs.
 */
const brokenEscape = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/** What is wrong with a value before it becomes text. */
function troubleOf(value: unknown, depth: number): Trouble | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { path: '', reason: `is ${value}, which JSON cannot say` };
    case 'object':
      return value === null ? undefined : troubleInside(value, depth);
    case 'bigint':
      // A program may have taught BigInt to become JSON.
      if ('toJSON' in Object(value)) return undefined;
      return { path: '', reason: 'is a BigInt; send it as a text' };
    case 'function':
      if ('toJSON' in value) return undefined;
      return { path: '', reason: 'is a function' };
    default:
      return { path: '', reason: `is ${typeof value === 'symbol' ? 'a symbol' : 'undefined'}` };
  }
}

function troubleInside(value: object, depth: number): Trouble | undefined {
  if (depth >= maxDepth)
    return { path: '', reason: `is more than ${maxDepth} levels deep, or contains itself` };
  if (Array.isArray(value)) {
    for (let place = 0; place < value.length; place++) {
      const trouble = troubleOf(value[place], depth + 1);
      if (trouble !== undefined) return within(`[${place}]`, trouble);
    }
    return undefined;
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    if (value instanceof Date && Number.isNaN(value.getTime()))
      return { path: '', reason: 'is an invalid date' };
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    if (lostByJson.has(tag))
      return { path: '', reason: `is an object of class ${tag}, which JSON does not keep` };
  }
  const fields = value as Readonly<Record<string, unknown>>;
  for (const name in fields) {
    const inner = fields[name];
    if (typeof inner === 'string' || inner === undefined || !Object.hasOwn(fields, name)) continue;
    const trouble = troubleOf(inner, depth + 1);
    if (trouble !== undefined) return within(fieldPath(name), trouble);
  }
  return undefined;
}

/** Built-in classes that `JSON.stringify` turns into `{}` or into something else. */
const lostByJson: ReadonlySet<string> = new Set([
  ...[
    'Map',
    'Set',
    'WeakMap',
    'WeakSet',
    'WeakRef',
    'Promise',
    'RegExp',
    'Error',
    'Generator',
    'AsyncGenerator',
  ],
  ...['ArrayBuffer', 'SharedArrayBuffer', 'DataView', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray'],
  ...[
    'Int16Array',
    'Uint16Array',
    'Int32Array',
    'Uint32Array',
    'Float16Array',
    'Float32Array',
    'Float64Array',
  ],
  ...['BigInt64Array', 'BigUint64Array'],
]);

/** Where a NUL character or half of a surrogate pair stands. */
function brokenPlace(value: unknown): Trouble {
  const trouble = brokenText(value);
  return trouble ?? { path: '', reason: 'has a NUL character or half of a surrogate pair' };
}

function brokenText(value: unknown): Trouble | undefined {
  if (typeof value === 'string') {
    if (value.includes('\u0000'))
      return { path: '', reason: 'has a NUL character, which PostgreSQL cannot keep' };
    return value.isWellFormed()
      ? undefined
      : { path: '', reason: 'has half of a surrogate pair; use toWellFormed()' };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const trouble = brokenText(name) ?? brokenText(inner);
    if (trouble !== undefined) return within(Array.isArray(value) ? `[${name}]` : fieldPath(name), trouble);
  }
  return undefined;
}

/** Paths of cycles would have 500 names: only the outermost are told. */
const maxPathLength = 120;

function within(step: string, trouble: Trouble): Trouble {
  const path = step + trouble.path;
  trouble.path = path.length > maxPathLength ? `${path.slice(0, maxPathLength - 1)}…` : path;
  return trouble;
}

/** `.name`, or `["a name"]` where the name is no identifier. */
function fieldPath(name: string): string {
  if (/^[A-Za-z_$][\w$]*$/.test(name)) return `.${name}`;
  return `[${JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name)}]`;
}
