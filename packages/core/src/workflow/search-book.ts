/**
 * Searching runs and steps, in the language of Conductor's clients. What was acknowledged is found: what is searched is
 * written with the runs themselves. Hits are counted up to a bound, as search engines do.
 */

import type { Run } from '../domain/workflow/run.ts';
import { type SearchTree, validateSearch } from '../domain/workflow/search-query.ts';
import type { Pool } from '../store/pool.ts';
import { type SearchScope, withSearch } from '../store/search-sql.ts';
import type { Statement } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Found, RunSearch, StepOfRun } from './port.ts';
import type { RunBook } from './run-book.ts';

/** So many hits are counted: more are there where the count says as many, or where a page lies beyond. */
const countedMost = 10_000;
/** With more runs than these, words are asked of each run in the order of the answer. */
const fewWords = 10_000;
const runStatuses = ['RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'TIMED_OUT', 'TERMINATED'] as const;

export interface SearchBookParts {
  readonly pool: Pool;
  readonly statements: BoundStatements;
  readonly schema: string;
  readonly runs: Pick<RunBook, 'views' | 'steps'>;
}

export class SearchBook {
  private readonly parts: SearchBookParts;

  constructor(parts: SearchBookParts) {
    this.parts = parts;
  }

  /**
   * Runs that fit, newest first unless `sort` says otherwise.
   *
   * @throws LineshaftError OPTION_INVALID with field and place
   * @example await workflows.searchRuns({ query: "workflowType = 'order' AND status = FAILED", size: 20 })
   */
  async searchRuns(search: RunSearch): Promise<Found<Run>> {
    const { statements, runs } = this.parts;
    const tree = validateSearch(search);
    const statuses = statusesOf(tree);
    if (statuses.length === 0) return { totalHits: 0, results: [] };
    const scope: SearchScope = {
      ids: await this.runsWithWords(tree.words),
      topLevelOnly: search.topLevelOnly,
      classifier: search.classifier,
    };
    const { start, size } = tree;
    const page = merged(tree, scope) ? statements.searchRunsByStart : statements.searchRuns;
    const [hits, ids] = await Promise.all([
      this.ask<{ hits: string }>('runs', tree, scope, statements.countRunsFound, [counted(tree), statuses]),
      this.ask<{ id: string }>('runs', tree, scope, page, [start, size, statuses]),
    ]);
    const views = await runs.views(
      ids.map(({ id }) => id),
      false,
    );
    return { totalHits: Number(hits[0]?.hits ?? 0), results: views.map(({ run }) => run) };
  }

  /**
   * Steps that fit, those made last first unless `sort` says otherwise. The free text is looked for in each that fits all else.
   *
   * @throws LineshaftError OPTION_INVALID with field and place
   */
  async searchSteps(search: RunSearch): Promise<Found<StepOfRun>> {
    const { statements, runs } = this.parts;
    const tree = validateSearch(search);
    const scope: SearchScope = { topLevelOnly: search.topLevelOnly, classifier: search.classifier };
    const [hits, ids] = await Promise.all([
      this.ask<{ hits: string }>('steps', tree, scope, statements.countStepsFound, [counted(tree)]),
      this.ask<{ id: string }>('steps', tree, scope, statements.searchSteps, [tree.start, tree.size]),
    ]);
    const results = await runs.steps(ids.map(({ id }) => id));
    return { totalHits: Number(hits[0]?.hits ?? 0), results };
  }

  /** Runs in which all words occur, where they are few; undefined: there are no words, or too many runs have them. */
  private async runsWithWords(words: readonly string[]): Promise<readonly string[] | undefined> {
    if (words.length === 0) return undefined;
    const { pool, statements } = this.parts;
    const rows = await pool.query<{ run_id: string }>(statements.searchWords, [words, fewWords + 1]);
    return rows.length > fewWords ? undefined : rows.map(({ run_id: id }) => id);
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

function counted({ start, size }: SearchTree): number {
  return Math.max(countedMost, start + size);
}
