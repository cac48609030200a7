/**
 * A segment of the index of words, as it is written: the words of up to 1,024 documents with the places where they occur, in
 * blocks by the order of the words. A block is lines of a word, a space and places; each has a line end before it, so
 * that a word is found by looking for the text. Pure.
 */

import { addPlacesIn, type Places, placesText } from './places.ts';

/** A row of the index; `first` is the first word of the lines in it. */
export interface SearchBlock {
  readonly first: string;
  readonly lines: string;
}

/** About so many characters a block has: a page of the database holds several, and a lookup reads one. */
const blockLength = 700;

export class SegmentWords {
  private readonly places = new Map<string, number[]>();

  /** Documents come in the order of their places. */
  add(word: string, place: number): void {
    const places = this.places.get(word);
    if (places === undefined) this.places.set(word, [place]);
    else if (places[places.length - 1] !== place) places.push(place);
  }

  /** @param size how many documents there are */
  blocks(size: number): SearchBlock[] {
    const blocks: SearchBlock[] = [];
    let first = '';
    let lines = '';
    for (const word of inOrder(this.places.keys())) {
      const line = `\n${word} ${placesText(this.places.get(word) ?? [], size)}`;
      if (lines !== '' && lines.length + line.length > blockLength) {
        blocks.push({ first, lines });
        lines = '';
      }
      if (lines === '') first = word;
      lines += line;
    }
    if (lines !== '') blocks.push({ first, lines });
    return blocks;
  }
}

/** Adds the places of the words in a block that begin with something: they stand together. */
export function addPlacesOfPrefix(places: Places, lines: string, prefix: string, size: number): void {
  const begins = `\n${prefix}`;
  let at = lines.indexOf(begins);
  while (at >= 0 && lines.startsWith(begins, at)) {
    const next = lines.indexOf('\n', at + 1);
    const end = next < 0 ? lines.length : next;
    addPlacesIn(places, lines, { from: lines.indexOf(' ', at) + 1, end, size });
    at = next;
  }
}

/** What is known of a run beside its words, as words that no text has. */
export function nameTerm(name: string): string {
  return `@${encodeURIComponent(name.toWellFormed())}`;
}

/** @param status of a run that has ended; undefined: it has not */
export function statusTerm(status: string | undefined): string {
  return `=${status ?? 'OPEN'}`;
}

/** By code points, as the database compares bytes of UTF-8: that of code units is another beyond the first plane. */
function inOrder(words: Iterable<string>): string[] {
  const all = [...words].sort();
  return all.some((word) => /[\ud800-\udfff]/.test(word)) ? all.sort(byCodePoint) : all;
}

function byCodePoint(one: string, other: string): number {
  const [a, b] = [Array.from(one), Array.from(other)];
  for (let at = 0; at < a.length && at < b.length; at += 1) {
    const less = (a[at]?.codePointAt(0) ?? 0) - (b[at]?.codePointAt(0) ?? 0);
    if (less !== 0) return less;
  }
  return a.length - b.length;
}
