/**
 * Sets of places in a segment of the index of words: a segment has up to 1,024 documents, so a set is 1,024 bits. As text a
 * set is a list of numbers, or `x` and its bits in hexadecimal digits (the lowest places first), or `*`: all. Pure.
 */

/** So many documents a segment has at most. */
export const segmentMax = 1_024;

const wordsOfBits = segmentMax / 32;
/** Lists of more places are longer than their bits. */
const listMax = 50;

export type Places = Uint32Array;

export function noPlaces(): Places {
  return new Uint32Array(wordsOfBits);
}

/** The places 0 to `size` - 1. */
export function allPlaces(size: number): Places {
  const places = noPlaces();
  addFirst(places, size);
  return places;
}

function addFirst(places: Places, size: number): void {
  places.fill(0xffffffff, 0, size >>> 5);
  if (size % 32 > 0) places[size >>> 5] = ((places[size >>> 5] ?? 0) | (2 ** (size % 32) - 1)) >>> 0;
}

export function addPlace(places: Places, place: number): void {
  const index = place >>> 5;
  places[index] = ((places[index] ?? 0) | (1 << (place & 31))) >>> 0;
}

export function hasPlace(places: Places, place: number): boolean {
  return ((places[place >>> 5] ?? 0) & (1 << (place & 31))) !== 0;
}

/** @param list in ascending order @param size how many documents the segment has */
export function placesText(list: readonly number[], size: number): string {
  if (list.length === size) return '*';
  if (list.length <= listMax) return list.join(',');
  const bytes = new Uint8Array(Math.ceil(size / 8));
  for (const place of list) bytes[place >>> 3] = (bytes[place >>> 3] ?? 0) | (1 << (place & 7));
  let text = 'x';
  for (const byte of bytes) text += hexPairs[byte];
  return text;
}

/** Adds what a text says; `placesText` has written it. */
export function addPlaces(places: Places, text: string, size: number): void {
  addPlacesIn(places, text, { from: 0, end: text.length, size });
}

/** The same of a part of a text, without cutting it out: prefixes have a place for each of many words. */
export function addPlacesIn(
  places: Places,
  text: string,
  part: { readonly from: number; readonly end: number; readonly size: number },
): void {
  const { from, end, size } = part;
  const begins = text[from];
  if (begins === '*') addFirst(places, size);
  else if (begins === 'x') addBits(places, text, from + 1, end);
  else {
    let place = 0;
    for (let at = from; at <= end; at += 1) {
      const code = at < end ? text.charCodeAt(at) : comma;
      if (code !== comma) place = place * 10 + code - 48;
      else {
        addPlace(places, place);
        place = 0;
      }
    }
  }
}

const comma = 0x2c;

/** Adds the bits of hexadecimal digits, two for each eight places. @param from where they begin @param end behind them */
export function addBits(places: Places, hex: string, from = 0, end = hex.length): void {
  for (let at = from; at + 1 < end; at += 2) {
    const byte = (nibble(hex.charCodeAt(at)) << 4) | nibble(hex.charCodeAt(at + 1));
    const index = (at - from) >>> 3;
    places[index] = ((places[index] ?? 0) | (byte << (((at - from) << 2) & 24))) >>> 0;
  }
}

/** Keeps those that are in both. */
export function keepBoth(places: Places, others: Places): void {
  for (let index = 0; index < wordsOfBits; index += 1)
    places[index] = ((places[index] ?? 0) & (others[index] ?? 0)) >>> 0;
}

export function removeAll(places: Places, others: Places): void {
  for (let index = 0; index < wordsOfBits; index += 1)
    places[index] = ((places[index] ?? 0) & ~(others[index] ?? 0)) >>> 0;
}

export function countPlaces(places: Places): number {
  let count = 0;
  for (let index = 0; index < wordsOfBits; index += 1) {
    const word = places[index] ?? 0;
    let bits = word - ((word >>> 1) & 0x55555555);
    bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
    count += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}

/** In ascending order. */
export function listPlaces(places: Places): number[] {
  const list: number[] = [];
  for (const [index, word] of places.entries()) {
    for (let bits = word; bits !== 0; bits &= bits - 1) list.push(index * 32 + 31 - Math.clz32(bits & -bits));
  }
  return list;
}

const hexPairs = Array.from({ length: 256 }, (_each, byte) => byte.toString(16).padStart(2, '0'));

/** Of a digit or a small letter. */
function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87;
}
