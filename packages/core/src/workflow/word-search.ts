/**
 * Finds runs by words: in the index, and in the documents of runs that are not indexed yet, which are few. One statement
 * reads both, from one snapshot, so that a run is found whether it is being indexed meanwhile or not, and once.
 */

import {
  addBits,
  addPlace,
  addPlacesIn,
  allPlaces,
  countPlaces,
  hasPlace,
  keepBoth,
  listPlaces,
  noPlaces,
  type Places,
  removeAll,
} from '../domain/workflow/places.ts';
import { addPlacesOfPrefix } from '../domain/workflow/search-segment.ts';
import { hasWords, type SearchWord } from '../domain/workflow/search-words.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { SearchNarrowing } from './search-narrowing.ts';

interface MatchRow {
  readonly what: 'segments' | 'places' | 'blocks' | 'pending' | 'run';
  readonly number: number;
  readonly text: string | null;
  readonly run: string;
  readonly started: string;
  readonly name: string;
  readonly status: string | null;
  readonly documents: string;
}

/** A segment in which something was found, with the places that fit; times in microseconds since 1970. */
interface Segment {
  readonly id: number;
  readonly newest: number;
  readonly oldest: number;
  readonly fits: Places;
  /** How many places fit. */
  count: number;
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
      if (row.what !== 'run') return [];
      const startedAt = Number(row.started);
      const fits =
        narrowing.fits(row.name, row.status ?? undefined, startedAt) &&
        hasWords(words, row.text ?? '', row.documents);
      return fits ? [{ id: row.run, startedAt }] : [];
    });
    let total = pending.length;
    for (const { count } of segments.values()) total += count;
    return { segments, pending, total };
  }

  /** Ids of a page by the time of their start; not `whole`: parts of the index have been made anew meanwhile. */
  async page(
    { segments, pending: allPending, total }: WordMatches,
    page: { readonly start: number; readonly size: number; readonly oldestFirst: boolean },
  ): Promise<{ ids: string[]; whole: boolean }> {
    const { size, oldestFirst } = page;
    const order = new StartOrder(oldestFirst);
    const { rest, pending, start } = order.without(page.start, [...segments.values()], allPending);
    const places = order.first(start + size, rest);
    const rows = await this.pool.query<{ id: string }>(this.statements.searchPage, [
      `{${places.segments.join(',')}}`,
      `{${places.places.join(',')}}`,
      `{${pending.map(({ id }) => id).join(',')}}`,
      `{${pending.map(({ startedAt }) => startedAt).join(',')}}`,
      oldestFirst ? -1 : 1,
      start,
      size,
    ]);
    return { ids: rows.map(({ id }) => id), whole: rows.length >= Math.min(size, total - page.start) };
  }

  /** Which of these runs are among those that were found. */
  async among({ segments, pending }: WordMatches, ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.pool.query<{ run_id: string; segment: number; place: number }>(
      this.statements.searchDocumentsOf,
      [`{${ids.join(',')}}`],
    );
    const found = new Set(pending.map(({ id }) => id));
    for (const { run_id: id, segment, place } of rows) {
      const known = segments.get(segment);
      if (known !== undefined && known.count > 0 && hasPlace(known.fits, place)) found.add(id);
    }
    return found;
  }

  /** Leaves out what did not start within the time; most segments are wholly within or without. */
  private async keepStarted(segments: readonly Segment[], { since, until }: SearchNarrowing): Promise<void> {
    const partly: Segment[] = [];
    for (const segment of segments) {
      if (segment.newest < since * 1_000 || segment.oldest >= until * 1_000) segment.count = 0;
      else if (segment.oldest < since * 1_000 || segment.newest >= until * 1_000) partly.push(segment);
    }
    const places = new StartOrder(false).first(Number.POSITIVE_INFINITY, partly);
    if (places.places.length === 0) return;
    const rows = await this.pool.query<{ segment: number; place: number }>(this.statements.searchStarted, [
      `{${places.segments.join(',')}}`,
      `{${places.places.join(',')}}`,
      Math.max(since, -farMs) * 1_000,
      Math.min(until, farMs) * 1_000,
    ]);
    const byId = new Map(partly.map((segment) => [segment.id, segment]));
    for (const segment of partly) {
      segment.fits.fill(0);
      segment.count = 0;
    }
    for (const { segment: id, place } of rows) {
      const segment = byId.get(id);
      if (segment === undefined) continue;
      addPlace(segment.fits, place);
      segment.count += 1;
    }
  }
}

/** Further than any run, and a number that the database has. */
const farMs = 9e14;

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

/** Of a segment, as it was told. */
interface Told {
  readonly size: number;
  readonly newest: number;
  readonly oldest: number;
  /** Hexadecimal digits of bits. */
  readonly dead: string | undefined;
  readonly out: number[];
}

/** What was found of one thing that was asked, by segment: adds its places. */
type Found = ReadonlyMap<number, (places: Places, size: number) => void>;

/** The segments in which each group has found something that is not dead. */
function segmentsOf(rows: readonly MatchRow[], { groups, prefixes }: Asked): Map<number, Segment> {
  const told = new Map<number, Told>();
  const found = new Map<number, Found>();
  for (const { what, number, text } of rows) {
    if (text === null) continue;
    if (what === 'segments') for (const line of text.split('\n')) addSegment(told, line);
    else if (what === 'places') found.set(number - 1, placesBySegment(text));
    else if (what === 'blocks') found.set(-number, blocksBySegment(text, prefixes[number - 1] ?? ''));
  }
  for (const { what, text } of rows) {
    if (what !== 'pending' || text === null) continue;
    for (const line of text.split('\n')) {
      const [segment, place] = line.split(' ', 2);
      told.get(Number(segment))?.out.push(Number(place));
    }
  }
  const segments = new Map<number, Segment>();
  const [first = [], ...others] = groups.map((group) => group.flatMap((number) => found.get(number) ?? []));
  for (const id of new Set(first.flatMap((each) => [...each.keys()]))) {
    const segment = told.get(id);
    if (segment === undefined || !others.every((any) => any.some((each) => each.has(id)))) continue;
    const { newest, oldest } = segment;
    const fits = fitting(id, segment, [first, ...others]);
    segments.set(id, { id, newest, oldest, fits, count: countPlaces(fits) });
  }
  return segments;
}

function addSegment(told: Map<number, Told>, line: string): void {
  const [id, size, newest, oldest, dead] = line.split(' ');
  told.set(Number(id), {
    size: Number(size),
    newest: Number(newest),
    oldest: Number(oldest),
    dead,
    out: [],
  });
}

function placesBySegment(text: string): Found {
  const found = new Map<number, (places: Places, size: number) => void>();
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    const part = { from: space + 1, end: line.length };
    found.set(Number(line.slice(0, space)), (places, size) => addPlacesIn(places, line, { ...part, size }));
  }
  return found;
}

function blocksBySegment(text: string, prefix: string): Found {
  const found = new Map<number, (places: Places, size: number) => void>();
  for (const block of text.slice(1).split('\n#')) {
    const id = Number(block.slice(0, block.indexOf('\n')));
    const before = found.get(id);
    found.set(id, (places, size) => {
      before?.(places, size);
      addPlacesOfPrefix(places, block, prefix, size);
    });
  }
  return found;
}

function fitting(id: number, { size, dead, out }: Told, groups: readonly (readonly Found[])[]): Places {
  const fits = allPlaces(size);
  for (const group of groups) {
    beside.fill(0);
    for (const found of group) found.get(id)?.(beside, size);
    keepBoth(fits, beside);
  }
  if (dead === undefined && out.length === 0) return fits;
  beside.fill(0);
  if (dead !== undefined) addBits(beside, dead);
  for (const place of out) addPlace(beside, place);
  removeAll(fits, beside);
  return fits;
}

/** Made once: there are thousands of segments. */
const beside = noPlaces();

/** Runs by the time of their start, one way or the other: the same for both, with times turned round. */
class StartOrder {
  private readonly oldestFirst: boolean;

  constructor(oldestFirst: boolean) {
    this.oldestFirst = oldestFirst;
  }

  /** Leaves out what is before a place in the order, where whole segments are. */
  without(
    start: number,
    segments: readonly Segment[],
    pending: readonly PendingRun[],
  ): { start: number; rest: readonly Segment[]; pending: readonly PendingRun[] } {
    const sorted = this.filled(segments);
    const key = ({ startedAt }: PendingRun): number => (this.oldestFirst ? -startedAt : startedAt);
    let found = { start, rest: sorted, pending };
    let count = 0;
    let last = Number.POSITIVE_INFINITY;
    for (const [index, segment] of sorted.entries()) {
      const next = sorted[index + 1];
      count += segment.count;
      last = Math.min(last, this.lastOf(segment));
      if (next === undefined || count > start) break;
      const cut = this.firstOf(next);
      if (last <= cut) continue;
      const after = pending.filter((run) => key(run) <= cut);
      const before = count + pending.length - after.length;
      if (before <= start) found = { start: start - before, rest: sorted.slice(index + 1), pending: after };
    }
    return found;
  }

  /**
   * Places among which the first `count` runs are: of the segments that begin first so many as have enough, and of those
   * that reach into their time.
   */
  first(count: number, segments: readonly Segment[]): { segments: number[]; places: number[] } {
    const taken: { segments: number[]; places: number[] } = { segments: [], places: [] };
    let enoughAfter = Number.POSITIVE_INFINITY;
    let sum = 0;
    for (const segment of this.filled(segments)) {
      if (sum >= count && this.firstOf(segment) < enoughAfter) break;
      // Within a segment those that have started last come first.
      const list = listPlaces(segment.fits);
      const some = this.oldestFirst ? list.slice(-Math.min(count, list.length)) : list.slice(0, count);
      for (const place of some) {
        taken.segments.push(segment.id);
        taken.places.push(place);
      }
      if (sum < count) enoughAfter = Math.min(enoughAfter, this.lastOf(segment));
      sum += list.length;
    }
    return taken;
  }

  private filled(segments: readonly Segment[]): Segment[] {
    return segments
      .filter(({ count }) => count > 0)
      .sort((one, other) => this.firstOf(other) - this.firstOf(one));
  }

  private firstOf({ newest, oldest }: Segment): number {
    return this.oldestFirst ? -oldest : newest;
  }

  private lastOf({ newest, oldest }: Segment): number {
    return this.oldestFirst ? -newest : oldest;
  }
}
