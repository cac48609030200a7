/**
 * Finds runs by words: in the index, and in the documents of runs that are not indexed yet, which are few. One statement
 * reads both, from one snapshot, so that a run is found whether it is being indexed meanwhile or not, and once.
 */

import {
  addAll,
  addBits,
  addPlace,
  addPlaces,
  countPlaces,
  hasPlace,
  keepBoth,
  listPlaces,
  noPlaces,
  type Places,
  removeAll,
} from '../domain/workflow/places.ts';
import { placesOfPrefix } from '../domain/workflow/search-segment.ts';
import { hasWords, type SearchWord } from '../domain/workflow/search-words.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { SearchNarrowing } from './search-narrowing.ts';

interface MatchRow {
  readonly what: 'segment' | 'places' | 'block' | 'pending' | 'run';
  readonly segment: number;
  readonly number: number;
  readonly text: string | null;
  readonly newest: string;
  readonly oldest: string;
  readonly run: string;
  readonly name: string;
  readonly status: string | null;
  readonly documents: string;
}

/** A segment with the places that fit; times in microseconds since 1970. */
interface Segment {
  readonly id: number;
  readonly size: number;
  readonly newest: number;
  readonly oldest: number;
  /** By what was asked for: words first, then what else is known. */
  readonly found: Map<number, Places>;
  readonly out: Places;
  fits: Places;
}

/** A run that fits and is not indexed yet. */
interface PendingRun {
  readonly id: string;
  /** Microseconds since 1970. */
  readonly startedAt: number;
}

/** The runs in which all words occur. */
export interface WordMatches {
  readonly segments: ReadonlyMap<number, Segment>;
  readonly pending: readonly PendingRun[];
  readonly total: number;
}

export class WordSearch {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(parts: { readonly pool: Pool; readonly statements: BoundStatements }) {
    this.pool = parts.pool;
    this.statements = parts.statements;
  }

  /** Runs with all of the words, of which all is true that `narrowing` says. */
  async find(words: readonly SearchWord[], narrowing: SearchNarrowing): Promise<WordMatches> {
    const asked = new Asked(words, narrowing);
    const rows = await this.pool.query<MatchRow>(this.statements.searchMatches, asked.values());
    const segments = segmentsOf(rows, asked);
    await this.keepStarted([...segments.values()], narrowing);
    const pending = rows.flatMap((row) => {
      if (row.what !== 'run' || !narrowing.fits(row.name, row.status ?? undefined, Number(row.newest)))
        return [];
      if (!hasWords(words, row.text ?? '', row.documents)) return [];
      return [{ id: row.run, startedAt: Number(row.newest) }];
    });
    let total = pending.length;
    for (const { fits } of segments.values()) total += countPlaces(fits);
    return { segments, pending, total };
  }

  /** Ids of a page by the time of their start; not `whole`: parts of the index have been made anew meanwhile. */
  async page(
    { segments, pending, total }: WordMatches,
    page: { readonly start: number; readonly size: number; readonly oldestFirst: boolean },
  ): Promise<{ ids: string[]; whole: boolean }> {
    const { start, size, oldestFirst } = page;
    const places = firstPlaces([...segments.values()], start + size, oldestFirst);
    const rows = await this.pool.query<{ id: string }>(this.statements.searchPage, [
      `{${places.segments.join(',')}}`,
      `{${places.places.join(',')}}`,
      `{${pending.map(({ id }) => id).join(',')}}`,
      `{${pending.map(({ startedAt }) => startedAt).join(',')}}`,
      oldestFirst ? -1 : 1,
      start,
      size,
    ]);
    return { ids: rows.map(({ id }) => id), whole: rows.length >= Math.min(size, total - start) };
  }

  /** Which of these runs are among those that were found. */
  async among({ segments, pending }: WordMatches, ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.pool.query<{ run_id: string; segment: number; place: number }>(
      this.statements.searchDocumentsOf,
      [`{${ids.join(',')}}`],
    );
    const found = new Set(pending.map(({ id }) => id));
    for (const { run_id: id, segment, place } of rows) {
      const fits = segments.get(segment)?.fits;
      if (fits !== undefined && hasPlace(fits, place)) found.add(id);
    }
    return found;
  }

  /** Leaves out what did not start within the time; most segments are wholly within or without. */
  private async keepStarted(segments: readonly Segment[], { since, until }: SearchNarrowing): Promise<void> {
    const partly: Segment[] = [];
    for (const segment of segments) {
      if (segment.newest < since * 1_000 || segment.oldest >= until * 1_000) segment.fits = noPlaces();
      else if (segment.oldest < since * 1_000 || segment.newest >= until * 1_000) partly.push(segment);
    }
    const places = firstPlaces(partly, Number.POSITIVE_INFINITY, false);
    if (places.places.length === 0) return;
    const rows = await this.pool.query<{ segment: number; place: number }>(this.statements.searchStarted, [
      `{${places.segments.join(',')}}`,
      `{${places.places.join(',')}}`,
      Math.max(since, -farMs),
      Math.min(until, farMs),
    ]);
    const byId = new Map(partly.map((segment) => [segment.id, segment]));
    for (const segment of partly) segment.fits = noPlaces();
    for (const { segment, place } of rows) {
      const fits = byId.get(segment)?.fits;
      if (fits !== undefined) addPlace(fits, place);
    }
  }
}

/** Further than any run, and a time that the database has. */
const farMs = 1e14;

/** What is asked of the index: each group must have one of its members. */
class Asked {
  readonly exact: string[] = [];
  readonly prefixes: string[] = [];
  /** Numbers of exact ones count from 0, those of prefixes from -1 downwards. */
  readonly groups: (readonly number[])[] = [];
  private readonly needles: readonly string[];

  constructor(words: readonly SearchWord[], narrowing: SearchNarrowing) {
    for (const { text, prefix } of words) {
      if (prefix) this.groups.push([-this.prefixes.push(text)]);
      else this.groups.push([this.exact.push(text) - 1]);
    }
    for (const terms of narrowing.terms) {
      this.groups.push(terms.map((term) => this.exact.push(term) - 1));
    }
    // The database's small letters are those of ASCII here, whatever its language.
    this.needles = needlesOf(words);
  }

  values(): unknown[] {
    const { exact, prefixes } = this;
    const ends = prefixes.map((prefix) => `${prefix}\u{10ffff}`);
    return [textArray(exact), textArray(prefixes), textArray(ends), textArray(this.needles)];
  }
}

/** What a text must have in it for all of the words to be there, as far as the database can look for it. */
export function needlesOf(words: readonly SearchWord[]): string[] {
  return words.map(({ text }) => text).filter((text) => /^[\x21-\x7e]+$/.test(text));
}

function segmentsOf(rows: readonly MatchRow[], asked: Asked): Map<number, Segment> {
  const segments = new Map<number, Segment>();
  for (const { what, segment: id, number: size, text, newest, oldest } of rows) {
    if (what !== 'segment') continue;
    const out = noPlaces();
    if (text !== null) addBits(out, text);
    const times = { newest: Number(newest), oldest: Number(oldest) };
    segments.set(id, { id, size, ...times, found: new Map(), out, fits: noPlaces() });
  }
  for (const { what, segment: id, number, text } of rows) {
    const segment = segments.get(id);
    if (segment === undefined) continue;
    if (what === 'pending') addPlace(segment.out, number);
    else if (what === 'places') addPlaces(placesFor(segment, number - 1), text ?? '', segment.size);
    else if (what === 'block') {
      const places = placesFor(segment, -number);
      const prefix = asked.prefixes[number - 1] ?? '';
      for (const each of placesOfPrefix(text ?? '', prefix)) addPlaces(places, each, segment.size);
    }
  }
  for (const segment of segments.values()) segment.fits = fitting(segment, asked.groups);
  return segments;
}

function placesFor({ found }: Segment, number: number): Places {
  let places = found.get(number);
  if (places === undefined) {
    places = noPlaces();
    found.set(number, places);
  }
  return places;
}

function fitting({ found, out }: Segment, groups: readonly (readonly number[])[]): Places {
  let fits: Places | undefined;
  for (const group of groups) {
    const any = noPlaces();
    for (const number of group) {
      const places = found.get(number);
      if (places !== undefined) addAll(any, places);
    }
    if (fits === undefined) fits = any;
    else keepBoth(fits, any);
  }
  fits ??= noPlaces();
  removeAll(fits, out);
  return fits;
}

/**
 * Places among which the first `count` runs are, by the time of their start: of the segments that begin first so many as
 * have enough, and of those that reach into their time.
 */
function firstPlaces(
  segments: readonly Segment[],
  count: number,
  oldestFirst: boolean,
): { segments: number[]; places: number[] } {
  const filled = segments.filter(({ fits }) => countPlaces(fits) > 0);
  // The same for both directions, with times turned round.
  const first = ({ newest, oldest }: Segment): number => (oldestFirst ? -oldest : newest);
  const last = ({ newest, oldest }: Segment): number => (oldestFirst ? -newest : oldest);
  filled.sort((one, other) => first(other) - first(one));
  const taken: { segments: number[]; places: number[] } = { segments: [], places: [] };
  let enoughAfter = Number.POSITIVE_INFINITY;
  let sum = 0;
  for (const segment of filled) {
    if (sum >= count && first(segment) < enoughAfter) break;
    // Within a segment those that have started last come first.
    const list = listPlaces(segment.fits);
    const some = oldestFirst ? list.slice(-Math.min(count, list.length)) : list.slice(0, count);
    for (const place of some) {
      taken.segments.push(segment.id);
      taken.places.push(place);
    }
    if (sum < count) enoughAfter = Math.min(enoughAfter, last(segment));
    sum += list.length;
  }
  return taken;
}
