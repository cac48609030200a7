/**
 * Where the large values of a run's documents stand, so that what is passed on from step to step is kept once. A document that
 * has such a value says where it is instead: in place of `{"order":{…},"n":1}` an array of the document without it and of
 * the places, `[{"order":null,"n":1},{"order":[3,"order"]}]`: the value of `order` in the output of the step with `seq` 3; 0
 * is the input of the run. Places are never those of values that stand elsewhere themselves; they may be in the first part of
 * a document that is written so itself. Pure.
 *
 * The rows are put together by `lineshaft.document` (SQL) and `wholeDocument`; before a row changes in which others have
 * values, these get them back (`part_documents`).
 */

import type { JsonObject } from './definition.ts';

/** Of a value: in the output of this step (0: in the input of the run) under this name. */
type Place = readonly [seq: number, name: string];

interface Origin {
  readonly seq: number;
  /** Its place, as JSON. */
  readonly text: string;
}

/** Shorter values are repeated: to say where they are would be about as long. */
const lengthLeast = 128;
/** Who reads a value reads the document in which it stands: no value points into one that is so many times as long. */
const shareLeast = 16;
/** Values of a run whose places are known. */
const originsMost = 1_000;
/** Values in one document that stand elsewhere: each is looked up when it is read. */
const placesMost = 50;

export class Origins {
  /** Texts by what they are, objects by identity. Made where there is something to put in. */
  private known: Map<unknown, Origin> | undefined;
  private hasInput = false;

  /** Whether it is to be told of the input of the run. */
  lacks(input: JsonObject): boolean {
    if (this.hasInput) return false;
    this.hasInput = true;
    return hasLarge(input);
  }

  /** A document is written: others may have those of its values that stand in it. @param text as it is written */
  add(seq: number, document: JsonObject, text: string): void {
    if (text.length < lengthLeast || !canBeTakenApart(text)) return;
    const least = Math.max(lengthLeast, text.length / shareLeast);
    for (const name in document) {
      const value = document[name];
      if (!isLarge(value, least) || this.known?.has(value) === true) continue;
      this.known ??= new Map();
      if (this.known.size >= originsMost) return;
      this.known.set(value, { seq, text: `[${seq},${JSON.stringify(name)}]` });
    }
  }

  /**
   * A document as it is written; undefined: whole, since none of its values stands elsewhere.
   * @param seq of the step whose output it is; undefined: it is an input
   */
  textOf(document: JsonObject, seq: number | undefined): string | undefined {
    if (this.known === undefined) return undefined;
    let places = '';
    let count = 0;
    for (const name in document) {
      const origin = this.originOf(document[name], seq);
      if (origin === undefined) continue;
      places += `${count === 0 ? '' : ','}${JSON.stringify(name)}:${origin.text}`;
      count += 1;
    }
    if (count === 0 || count > placesMost) return undefined;
    let rest = '';
    for (const name in document) {
      const value = document[name];
      const text: string | undefined =
        this.originOf(value, seq) === undefined ? JSON.stringify(value) : 'null';
      if (text === undefined) continue;
      rest += `${rest === '' ? '' : ','}${JSON.stringify(name)}:${text}`;
    }
    const text = `[{${rest}},{${places}}]`;
    return canBeTakenApart(text) ? text : undefined;
  }

  /** What is known may not be so any more. */
  clear(): void {
    this.known = undefined;
    this.hasInput = false;
  }

  private originOf(value: unknown, seq: number | undefined): Origin | undefined {
    if (!canStandElsewhere(value)) return undefined;
    const origin = this.known?.get(value);
    return origin?.seq === seq ? undefined : origin;
  }
}

/** @param text of a document as it is written */
export function isWhole(text: string): boolean {
  return !text.startsWith('[');
}

/** Whether a document, which was parsed as it is written, has values that stand elsewhere. */
export function isParted(
  document: unknown,
): document is readonly [own: JsonObject, places: Readonly<Record<string, Place>>] {
  return Array.isArray(document) && typeof document[0] === 'object';
}

/** What stands in a document itself. @param text as it is written */
export function ownPart(text: string): JsonObject {
  const written = JSON.parse(text) as JsonObject | readonly [JsonObject, unknown];
  return Array.isArray(written) ? (written as readonly [JsonObject, unknown])[0] : (written as JsonObject);
}

/**
 * The text of a document as JSON, whichever way it is written.
 * @param textAt the value that stands in the output of a step, or with 0 in the input of the run, as JSON
 */
export function wholeDocument(text: string, textAt: (seq: number, name: string) => string): string {
  if (isWhole(text)) return text;
  const [own, places] = JSON.parse(text) as [JsonObject, Readonly<Record<string, Place>>];
  const members = Object.entries(own).map(([name, value]) => {
    const place = Object.hasOwn(places, name) ? places[name] : undefined;
    return `${JSON.stringify(name)}:${place === undefined ? JSON.stringify(value) : textAt(...place)}`;
  });
  return `{${members.join(',')}}`;
}

function hasLarge(document: JsonObject): boolean {
  for (const name in document) if (isLarge(document[name], lengthLeast)) return true;
  return false;
}

function canStandElsewhere(value: unknown): boolean {
  return typeof value === 'string'
    ? value.length >= lengthLeast
    : typeof value === 'object' && value !== null;
}

/** Looks at no more of it than it takes to say so. */
function isLarge(value: unknown, least: number): boolean {
  if (!canStandElsewhere(value)) return false;
  let left = least;
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const each = waiting.pop();
    if (typeof each === 'string') left -= each.length;
    else if (typeof each !== 'object' || each === null) left -= 1;
    else
      for (const name in each) {
        left -= 3 + (Array.isArray(each) ? 0 : name.length);
        if (left <= 0) return true;
        waiting.push((each as Record<string, unknown>)[name]);
      }
    if (left <= 0) return true;
  }
  return false;
}

/** PostgreSQL reads no JSON with NUL or half of a surrogate pair; both are written as `\u`. */
function canBeTakenApart(text: string): boolean {
  return !text.includes('\\u');
}
