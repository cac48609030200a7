/**
 * Leadership for what must run once: one worker holds it, renews it, and resigns when it stops. The others sleep until
 * it would run out, so a leader that dies is replaced within its lease. Each leadership has a number, its term, that
 * every write of a leader names: one that was paused and wakes as a leader of yesterday changes nothing.
 */

import { LineshaftError } from '../domain/errors.ts';
import { wholeNumber } from '../domain/fields.ts';
import { definePlugin, type ServiceContext } from '../plugin.ts';
import { settings } from '../plugins/settings.ts';
import type { Service } from './service.ts';

/** A transaction of a leader that does nothing for so long is ended by the server: its process may be paused. */
const idleMaxMs = 2_000;
const leaderName = 'main';

export interface Leadership extends Service {
  /** The term of this worker's leadership; undefined while another leads, or when it cannot be sure. */
  readonly term: string | undefined;
  /**
   * Runs statements in one transaction that changes nothing if this worker does not lead any more; nobody else is
   * elected while it is open. Keep it short: the server ends it when nothing comes for 2 s.
   * @throws LineshaftError LEADERSHIP_LOST
   */
  write<Result>(work: (query: ServiceContext['query']) => Promise<Result>): Promise<Result>;
}

export interface LeaderConfig {
  /** A leader that is not heard of for so long is replaced, 1 to 60 s; never longer than its worker's lease. Default 4.5 s. */
  readonly leaseMs: number;
}

/** The built-in service that elects a leader. */
export const leader = definePlugin({
  name: 'leader',
  config: settings<LeaderConfig>({
    leaseMs: { byDefault: 4_500, check: (value, field) => wholeNumber(value, field, 1_000, 60_000) },
  }),
  service: createLeadership,
});

function createLeadership(context: ServiceContext<LeaderConfig>): Leadership {
  const { clock, worker, log } = context;
  const { session, statements, workerRow, transaction } = context.internals;
  const leaseMs = Math.min(context.config.leaseMs, worker.leaseMs);
  let term: string | undefined;
  let sureUntilMs = 0;
  const sureTerm = (): string | undefined => (clock.monotonic() < sureUntilMs ? term : undefined);

  function become(next: string | undefined): void {
    const before = term;
    if (next === before) return;
    term = next;
    if (before !== undefined) {
      // An event says it, and an outage is told in two lines by who notices it first.
      log.debug('does not lead any more', { worker: worker.workerId, term: before });
      context.tell('deposed', { term: before });
    }
    if (next !== undefined) {
      log.debug('leads', { worker: worker.workerId, term: next });
      context.tell('elected', { term: next });
    }
  }

  const loop = context.loop({
    errorPauseMaxMs: leaseMs / 3,
    async round() {
      const askedAtMs = clock.monotonic();
      const [[won = null, left = null] = []] = await session.query(statements.lead, [
        leaderName,
        workerRow(),
        leaseMs,
      ]);
      const leftMs = Number(left ?? 0);
      // Counted from before the question: the lease in the database ends later than ours.
      sureUntilMs = askedAtMs + (won === null ? 0 : leftMs);
      become(won ?? undefined);
      // A third of the lease is left for a renewal that is late; the others look when it would be over.
      if (won !== null) return leftMs > leaseMs / 2 ? (leaseMs * 2) / 3 : 100;
      return leftMs > 0 ? Math.min(leftMs + 20, leaseMs) : 100;
    },
  });
  context.onMessage('e', () => loop.wake());

  return {
    name: 'leader',
    get term() {
      return sureTerm();
    },
    async write(work) {
      const of = sureTerm();
      if (of === undefined) {
        throw new LineshaftError('LEADERSHIP_LOST', {
          message: 'this worker does not lead; nothing was changed',
        });
      }
      return await transaction(async (query, run) => {
        await run(statements.shortTransaction, [String(idleMaxMs)]);
        await run(statements.demandTerm, [leaderName, of]);
        return await work(query);
      });
    },
    start: () => loop.start(),
    async stop() {
      await loop.stop();
      const of = term;
      if (of === undefined) return;
      term = undefined;
      context.tell('resigned', { term: of });
      await session.query(statements.resign, [leaderName, workerRow(), of]).catch(() => {});
    },
  };
}
