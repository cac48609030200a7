/**
 * Searching runs and steps, in the language of Conductor's clients. What was acknowledged is found: what is searched is
 * written with the runs themselves, and words that are not indexed yet are looked for in the documents. Hits are counted up
 * to a bound, as search engines do; those of words alone, or with what their index knows, are all counted.
 */

import type { Run } from '../domain/workflow/run.ts';
import { type SearchTree, validateSearch } from '../domain/workflow/search-query.ts';
import { hasWords, type SearchWord, searchWordsOf } from '../domain/workflow/search-words.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import type { Pool } from '../store/pool.ts';
import { type SearchScope, withSearch } from '../store/search-sql.ts';
import type { Statement } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Found, RunSearch, StepOfRun } from './port.ts';
import type { RunBook } from './run-book.ts';
import { narrowingOf } from './search-narrowing.ts';
import { needlesOf, type WordMatches, WordSearch } from './word-search.ts';

/** So many hits are counted: more are there where the count says as many, or where a page lies beyond. */
const countedMost = 10_000;
/** Of more runs than these that words have found, it is not asked for each whether the rest fits. */
const fewFound = 10_000;
/** So many runs, or steps, are looked through at once, in the order of the answer, for those with the words; then more. */
const windowLeast = 2_000;
const windowMost = 32_000;
const stepWindowMost = 8_000;
/** So many steps are looked into for words, of those that fit all else. */
const stepsMost = 100_000;
const attemptsMost = 5;
const runStatuses = ['RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'TIMED_OUT', 'TERMINATED'] as const;

export interface SearchBookParts {
  readonly pool: Pool;
  readonly statements: BoundStatements;
  readonly schema: string;
  readonly runs: Pick<RunBook, 'views' | 'steps'>;
}

interface FoundIds {
  readonly totalHits: number;
  readonly ids: readonly string[];
}

const nothing: FoundIds = { totalHits: 0, ids: [] };

export class SearchBook {
  private readonly parts: SearchBookParts;
  private readonly words: WordSearch;

  constructor(parts: SearchBookParts) {
    this.parts = parts;
    this.words = new WordSearch(parts);
  }

  /**
   * Runs that fit, newest first unless `sort` says otherwise.
   *
   * @throws LineshaftError OPTION_INVALID with field and place
   * @example await workflows.searchRuns({ query: "workflowType = 'order' AND status = FAILED", size: 20 })
   */
  async searchRuns(search: RunSearch): Promise<Found<Run>> {
    const tree = validateSearch(search);
    const { topLevelOnly, classifier } = search;
    const statuses = statusesOf(tree);
    const { totalHits, ids } =
      statuses.length === 0 ? nothing : await this.findRuns(tree, { topLevelOnly, classifier }, statuses);
    // Documents that are kept apart may be more than anybody wants to read: their paths are told.
    const views = await this.parts.runs.views(ids, false, false);
    return { totalHits, results: views.map(({ run }) => run) };
  }

  /**
   * Steps that fit, those made last first unless `sort` says otherwise. The words of the free text are looked for in each that fits
   * all else, and in no more than 100,000 of them.
   *
   * @throws LineshaftError OPTION_INVALID with field and place
   */
  async searchSteps(search: RunSearch): Promise<Found<StepOfRun>> {
    const tree = validateSearch(search);
    const { topLevelOnly, classifier } = search;
    const { totalHits, ids } = await this.findSteps(tree, { topLevelOnly, classifier });
    return { totalHits, results: await this.parts.runs.steps(ids) };
  }

  private async findRuns(
    tree: SearchTree,
    scope: SearchScope,
    statuses: readonly string[],
  ): Promise<FoundIds> {
    if (tree.words.length === 0) return await this.findByConditions(tree, scope, statuses);
    const words = searchWordsOf(tree.words);
    if (words.length === 0) return nothing;
    const narrowing = narrowingOf(tree, scope, statuses);
    const direct = narrowing.complete && byStart(tree);
    for (let attempt = 1; ; attempt += 1) {
      const matches = await this.words.find(words, narrowing);
      if (!direct && matches.total > fewFound) return await this.walk(tree, scope, statuses, matches);
      const page = direct
        ? { start: tree.start, size: tree.size, oldestFirst: tree.sort[0]?.descending === false }
        : { start: 0, size: matches.total, oldestFirst: false };
      const { ids, whole } = await this.words.page(matches, page);
      // Parts of the index were made anew meanwhile, which is rare.
      if (!whole && attempt < attemptsMost) continue;
      if (direct) return { totalHits: matches.total, ids };
      return await this.findByConditions(tree, { ...scope, ids }, statuses);
    }
  }

  private async findByConditions(
    tree: SearchTree,
    scope: SearchScope,
    statuses: readonly string[],
  ): Promise<FoundIds> {
    const { statements } = this.parts;
    if (scope.ids !== undefined) return await this.findAmong(tree, scope, statuses);
    const [hits, rows] = await Promise.all([
      this.ask<{ hits: string }>('runs', tree, scope, statements.countRunsFound, [counted(tree), statuses]),
      this.ask<{ id: string }>('runs', tree, scope, this.runPage(tree, scope), [
        tree.start,
        tree.size,
        statuses,
      ]),
    ]);
    return { totalHits: Number(hits[0]?.hits ?? 0), ids: rows.map(({ id }) => id) };
  }

  /** Of runs that are few and known: all that fit are read, which counts them too. */
  private async findAmong(
    tree: SearchTree,
    scope: SearchScope,
    statuses: readonly string[],
  ): Promise<FoundIds> {
    const values = [0, fewFound, statuses];
    const { searchRuns } = this.parts.statements;
    const rows = await this.ask<{ id: string }>('runs', tree, scope, searchRuns, values);
    const ids = rows.slice(tree.start, tree.start + tree.size).map(({ id }) => id);
    return { totalHits: rows.length, ids };
  }

  /** Words that many runs have, with conditions or an order that the index of words does not know: in that order. */
  private async walk(
    tree: SearchTree,
    scope: SearchScope,
    statuses: readonly string[],
    matches: WordMatches,
  ): Promise<FoundIds> {
    const found = new Hits(tree);
    let window = windowLeast;
    for (let from = 0; !found.enough; from += window, window = Math.min(4 * window, windowMost)) {
      const values = [from, window, statuses];
      const rows = await this.ask<{ id: string }>('runs', tree, scope, this.runPage(tree, scope), values);
      const ids = rows.map(({ id }) => id);
      const among = await this.words.among(matches, ids);
      for (const id of ids) if (among.has(id)) found.add(id);
      if (ids.length < window) break;
    }
    return { totalHits: found.count, ids: found.ids };
  }

  private async findSteps(tree: SearchTree, scope: SearchScope): Promise<FoundIds> {
    const { statements } = this.parts;
    const words = searchWordsOf(tree.words);
    if (tree.words.length > 0) {
      return words.length === 0 ? nothing : await this.walkSteps(tree, scope, words);
    }
    const [hits, rows] = await Promise.all([
      this.ask<{ hits: string }>('steps', tree, scope, statements.countStepsFound, [counted(tree)]),
      this.ask<{ id: string }>('steps', tree, scope, statements.searchSteps, [tree.start, tree.size]),
    ]);
    return { totalHits: Number(hits[0]?.hits ?? 0), ids: rows.map(({ id }) => id) };
  }

  private async walkSteps(
    tree: SearchTree,
    scope: SearchScope,
    words: readonly SearchWord[],
  ): Promise<FoundIds> {
    const found = new Hits(tree);
    const needles = textArray(needlesOf(words));
    let window = windowLeast;
    for (let from = 0; from < stepsMost && !found.enough; from += window, window = stepWindowMost) {
      const rows = await this.ask<{ id: string; text: string | null; documents: string }>(
        'steps',
        tree,
        scope,
        this.parts.statements.searchStepsWithWords,
        [from, window, needles],
      );
      for (const { id, text, documents } of rows)
        if (text !== null && hasWords(words, text, documents)) found.add(id);
      if (rows.length < window) break;
    }
    return { totalHits: found.count, ids: found.ids };
  }

  private runPage(tree: SearchTree, scope: SearchScope): Statement {
    const { statements } = this.parts;
    return merged(tree, scope) ? statements.searchRunsByStart : statements.searchRuns;
  }

  private async ask<Row>(
    searched: 'runs' | 'steps',
    tree: SearchTree,
    scope: SearchScope,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<Row[]> {
    const { pool, schema } = this.parts;
    const made = withSearch(schema, statement, values, { searched, tree, scope });
    return await pool.query<Row>(made.statement, made.values);
  }
}

/** The statuses that the conditions leave. */
function statusesOf(tree: SearchTree): string[] {
  const conditions = tree.conditions.filter(({ field }) => field === 'status');
  return runStatuses.filter((status) =>
    conditions.every(({ op, values }) =>
      values.some((value) => (op === 'like' ? matches(status, value) : value === status)),
    ),
  );
}

/** `*` stands for anything; without backtracking. */
function matches(text: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (!text.startsWith(first)) return false;
  let from = first.length;
  for (const [index, part] of rest.entries()) {
    if (index === rest.length - 1) return text.length - part.length >= from && text.endsWith(part);
    const at = text.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return from === text.length;
}

/** Whether the page is merged from those of the statuses: where it goes by start, and no condition alone finds few runs. */
function merged(tree: SearchTree, scope: SearchScope): boolean {
  const few = ['workflowId', 'correlationId', 'parentWorkflowId', 'taskId'];
  return (
    scope.ids === undefined &&
    tree.sort.every(({ field }) => field === 'startTime') &&
    !tree.conditions.some(({ field }) => few.includes(field))
  );
}

/** Whether the order of the answer is that of the starts. */
function byStart({ sort }: SearchTree): boolean {
  return sort.length === 0 || (sort.length === 1 && sort[0]?.field === 'startTime');
}

/** One beyond the page tells whoever goes page by page that there are more. */
function counted({ start, size }: SearchTree): number {
  return Math.max(countedMost, start + size + 1);
}

/** Counts what fits, and keeps the page. */
class Hits {
  readonly ids: string[] = [];
  count = 0;
  private readonly tree: SearchTree;

  constructor(tree: SearchTree) {
    this.tree = tree;
  }

  get enough(): boolean {
    return this.count >= counted(this.tree);
  }

  add(id: string): void {
    if (this.enough) return;
    if (this.count >= this.tree.start && this.ids.length < this.tree.size) this.ids.push(id);
    this.count += 1;
  }
}
