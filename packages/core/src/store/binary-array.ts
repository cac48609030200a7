/**
 * One-dimensional arrays in PostgreSQL's binary format, which the server takes in without parsing: for the
 * columns of large batches, where reading text costs a fifth of an insert. Pure.
 *
 * Format: `array_recv` and `uuid_recv` of PostgreSQL; the same since version 7.4.
 * @see https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-FORMAT-CODES
 */

const uuidType = 2950;
const jsonType = 114;
const integerType = 23;
const doubleType = 701;
/** Dimensions, whether there are nulls, type, length, lower bound: four bytes each. */
const headerBytes = 20;
const lengthBytes = 4;
const uuidBytes = 16;
const integerBytes = 4;
const doubleBytes = 8;
const nullLength = -1;

/** The value of each hexadecimal digit, by its code. */
const digits = new Uint8Array(128);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  digits[digit.charCodeAt(0)] = value;
  digits[digit.toUpperCase().charCodeAt(0)] = value;
}
/** Where the 16 bytes of a UUID begin in its text of 36 characters. */
const places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** A `uuid[]` of texts of 36 characters that are known to be UUIDs. */
export function uuidArray(ids: readonly string[]): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + ids.length * (lengthBytes + uuidBytes));
  let at = writeHeader(bytes, uuidType, ids.length);
  for (const id of ids) {
    at = writeLength(bytes, at, uuidBytes);
    for (const place of places) {
      bytes[at++] = (digitAt(id, place) << 4) | digitAt(id, place + 1);
    }
  }
  return bytes;
}

/** An `integer[]` of whole numbers that fit: others would be cut off. */
export function integerArray(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + values.length * (lengthBytes + integerBytes));
  let at = writeHeader(bytes, integerType, values.length);
  for (const value of values) {
    at = writeLength(bytes, at, integerBytes);
    at = writeLength(bytes, at, value);
  }
  return bytes;
}

/** A `double precision[]`; undefined: null. */
export function doubleArray(values: readonly (number | undefined)[]): Buffer {
  // By their places: an iterator would make an object of each number.
  let nulls = 0;
  for (let place = 0; place < values.length; place += 1) if (values[place] === undefined) nulls += 1;
  const bytes = Buffer.allocUnsafe(
    headerBytes + values.length * (lengthBytes + doubleBytes) - nulls * doubleBytes,
  );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = writeHeader(bytes, doubleType, values.length, nulls > 0);
  for (let place = 0; place < values.length; place += 1) {
    const value = values[place];
    at = writeLength(bytes, at, value === undefined ? nullLength : doubleBytes);
    if (value === undefined) continue;
    view.setFloat64(at, value);
    at += doubleBytes;
  }
  return bytes;
}

/** A `json[]` of texts, which the server checks as it checks every `json`; undefined: null. */
export function jsonArray(texts: readonly (string | undefined)[]): Buffer {
  let size = headerBytes;
  let hasNulls = false;
  for (const text of texts) {
    size += lengthBytes + (text === undefined ? 0 : Buffer.byteLength(text));
    hasNulls ||= text === undefined;
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = writeHeader(bytes, jsonType, texts.length, hasNulls);
  for (const text of texts) {
    if (text === undefined) {
      at = writeLength(bytes, at, nullLength);
      continue;
    }
    const written = bytes.write(text, at + lengthBytes);
    at = writeLength(bytes, at, written) + written;
  }
  return bytes;
}

/** The texts of a `json[]` that `jsonArray` made of texts alone. */
export function jsonTexts(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = headerBytes; at < bytes.length; ) {
    const begin = at + lengthBytes;
    at = begin + bytes.readInt32BE(at);
    texts.push(bytes.toString('utf8', begin, at));
  }
  return texts;
}

/** An empty array has no dimension, and callers have none to send. */
function writeHeader(bytes: Buffer, type: number, length: number, hasNulls = false): number {
  let at = writeLength(bytes, 0, 1);
  at = writeLength(bytes, at, Number(hasNulls));
  at = writeLength(bytes, at, type);
  at = writeLength(bytes, at, length);
  return writeLength(bytes, at, 1);
}

/** `writeInt32BE` without its checks, which cost as much as the rest. */
function writeLength(bytes: Buffer, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + lengthBytes;
}

function digitAt(id: string, place: number): number {
  return digits[id.charCodeAt(place)] ?? 0;
}
