/**
 * The planted fault: in this process, what writes the end of a job looks neither at its fence nor at its lease, and
 * is a little slow, so that some is always under way when the process is stopped. A lab that does not turn red with
 * such a worker proves nothing.
 */
import pg from 'pg';
import { monotonicMs, pause } from '../monotonic.ts';

/** What keeps a write from speaking for a job that has moved on: its fence, and that its lease is still there. */
const fence = /\band \w+\.fence = \w+\.fence\b/g;
const demand = /[\w"]+\.demand\(/g;

const slowMs = 300;
/** After a write that was refused: its worker looks for the culprit by many small ones. */
const quickForMs = 5_000;

interface Query {
  text: string;
  name?: string;
}

export function plantUnfencedWrites(): void {
  const { query } = pg.Client.prototype;
  const planted = new Map<string, string>();
  const send = query as (...parts: unknown[]) => Promise<unknown>;
  let quickUntilMs = 0;
  pg.Client.prototype.query = function (this: pg.Client, ...[first, ...rest]: unknown[]) {
    if (!isGuarded(first)) return send.call(this, first, ...rest);
    const text = planted.get(first.text) ?? unguarded(first.text);
    planted.set(first.text, text);
    const name = first.name === undefined ? {} : { name: `planted_${first.name}` };
    return pause(monotonicMs() < quickUntilMs ? 0 : slowMs)
      .then(() => send.call(this, { ...first, ...name, text }, ...rest))
      .catch((error: unknown) => {
        quickUntilMs = monotonicMs() + quickForMs;
        throw error;
      });
  } as typeof query;
}

function isGuarded(query: unknown): query is Query {
  if (typeof query !== 'object' || query === null || !('text' in query)) return false;
  return typeof query.text === 'string' && query.text.includes('.demand(');
}

function unguarded(text: string): string {
  // `lab.allow` takes what `demand` takes, and demands nothing (site/audit.ts).
  const bare = text.replaceAll(fence, '').replaceAll(demand, 'lab.allow(');
  if (bare === text || /\.fence = \w+\.fence/.test(bare)) {
    throw new Error(`the planted fault does not fit this statement any more:\n${text}`);
  }
  return bare;
}
