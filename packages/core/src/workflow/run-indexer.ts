/**
 * Makes the index of words: takes runs that have started, ended or changed, a thousand at a time, finds the words of their
 * documents, and writes them as a segment. Until there are enough of them, searches look into the documents. Two that
 * do this at the same time do no harm.
 */

import { segmentMax } from '../domain/workflow/places.ts';
import { nameTerm, SegmentWords, statusTerm } from '../domain/workflow/search-segment.ts';
import { eachWord, eachWordOfJson } from '../domain/workflow/search-words.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Indexed } from './step-runs.ts';

/** So many changes of runs are indexed together, and so many wait until then: mostly the start and the end of each. */
const changesMost = 2 * segmentMax;

interface PendingRow {
  readonly run_id: string;
  readonly pending: readonly string[];
  readonly name: string | null;
  readonly status: string | null;
  readonly text: string;
  readonly input: string | null;
  readonly output: string | null;
}

export class RunIndexer {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(parts: { readonly pool: Pool; readonly statements: BoundStatements }) {
    this.pool = parts.pool;
    this.statements = parts.statements;
  }

  /**
   * Indexes runs, if there are enough of them.
   * @param least so many changes of runs must wait
   * @returns whether there were enough, and else how many wait
   */
  async index(least = changesMost): Promise<Indexed> {
    const { pool, statements } = this;
    const [counted] = await pool.query<{ pending: string }>(statements.searchPendingCount, [least]);
    const pending = Number(counted?.pending ?? 0);
    if (pending < least || pending === 0) return { any: false, waiting: pending };
    const rows = await pool.query<PendingRow>(statements.searchPendingRuns, [changesMost]);
    const runs = rows.filter(({ name }) => name !== null);
    const removed = rows.filter(({ name }) => name === null);
    if (removed.length > 0) await this.write([], removed);
    const segments = Math.ceil(runs.length / segmentMax);
    for (let n = 0; n < segments; n += 1) {
      const from = Math.floor((runs.length * n) / segments);
      await this.write(runs.slice(from, Math.floor((runs.length * (n + 1)) / segments)), []);
    }
    return { any: true, waiting: 0 };
  }

  private async write(runs: readonly PendingRow[], removed: readonly PendingRow[]): Promise<void> {
    const blocks = wordsOf(runs).blocks(runs.length);
    const ids = (rows: readonly PendingRow[]): string => `{${rows.map(({ run_id: id }) => id).join(',')}}`;
    await this.pool.query(this.statements.indexRuns, [
      `{${[...runs, ...removed].flatMap(({ pending }) => pending).join(',')}}`,
      ids(runs),
      ids(removed),
      textArray(blocks.map(({ first }) => first)),
      textArray(blocks.map(({ lines }) => lines)),
    ]);
  }
}

function wordsOf(runs: readonly PendingRow[]): SegmentWords {
  const words = new SegmentWords();
  for (const [place, { name, status, text, input, output }] of runs.entries()) {
    const add = (word: string): void => words.add(word, place);
    add(nameTerm(name ?? ''));
    add(statusTerm(status ?? undefined));
    eachWord(text, add);
    eachWordOfJson(input ?? '', add);
    eachWordOfJson(output ?? '', add);
  }
  return words;
}
