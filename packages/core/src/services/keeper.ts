/**
 * House-keeping of the leader: history partitions are made days ahead and dropped when all in them has expired,
 * dead letters and unique keys past their time are forgotten, paused queues whose time has come are resumed.
 */

import type { Clock } from '../domain/clock.ts';
import { isLineshaftError } from '../domain/errors.ts';
import type { Session, Statement } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Leadership } from './leader.ts';
import { Loop, type LoopOptions, type Service } from './service.ts';

const daysAhead = 7;
const sweepBatch = 1_000;
const roundMs = 1_000;
const houseKeepingMs = 60_000;
/** Detaching waits for readers of the partition at most so long; then it is tried again in the next round. */
const detachTimeout = '3s';

export function createKeeper(
  context: Pick<LoopOptions, 'onError' | 'onRecovered'> & {
    clock: Clock;
    session: Session;
    statements: BoundStatements;
    schema: string;
    leadership: Leadership;
  },
): Service {
  const { session, statements, clock, leadership } = context;
  let houseKeptAtMs = Number.NEGATIVE_INFINITY;
  return new Loop({
    ...context,
    name: 'keeper',
    async round(signal) {
      if (leadership.term === undefined) return roundMs;
      await session.query(statements.resumeDueQueues);
      if (clock.monotonic() - houseKeptAtMs < houseKeepingMs) return roundMs;
      await makePartitions(session, statements);
      await dropPartitions(session, statements, context.schema, signal);
      while (!signal.aborted && leadership.term !== undefined) {
        const [[swept = '0'] = []] = await session.query(statements.sweepDead, [sweepBatch]);
        if (Number(swept) < sweepBatch) break;
      }
      await session.query(statements.sweepSmall);
      houseKeptAtMs = clock.monotonic();
      return roundMs;
    },
  });
}

/** Makes the history partitions of yesterday to a week ahead, by the clock of the database. */
export async function makePartitions(session: Session, statements: BoundStatements): Promise<void> {
  const [[clock = ''] = []] = await session.query(statements.utcDay);
  const today = Date.parse(`${clock}T00:00:00Z`);
  for (let ahead = -1; ahead <= daysAhead; ahead += 1) {
    const day = new Date(today + ahead * 86_400_000).toISOString().slice(0, 10);
    await session.query(statements.makeHistoryPartition, [day]);
  }
}

/** Drops the partitions in which everything has expired: detached first, concurrently, never under a reader's foot. */
async function dropPartitions(
  session: Session,
  statements: BoundStatements,
  schema: string,
  signal: AbortSignal,
): Promise<void> {
  for (const [name = null, , state] of await session.query(statements.expiredPartitions)) {
    if (name === null || signal.aborted) return;
    const part = `"${schema}"."${name}"`;
    const how = state === 'detaching' ? 'finalize' : 'concurrently';
    try {
      // Behind a pooler the setting would stay with a stranger; there the time-out of statements is the bound.
      if (!session.pooled) await session.query(plain(`set lock_timeout = '${detachTimeout}'`));
      if (state !== 'detached') {
        await session.query(plain(`alter table "${schema}".history detach partition ${part} ${how}`));
      }
      await session.query(plain(`drop table ${part}`));
    } catch (error) {
      if (!isLineshaftError(error, 'DATABASE_FAILED') || error.details['sqlstate'] !== '55P03') throw error;
      // A reader holds the partition: what is pending is finished in a later round, and until then no other begins.
      return;
    } finally {
      if (!session.pooled) await session.query(plain('set lock_timeout = 0')).catch(() => {});
    }
  }
}

function plain(text: string): Statement {
  return { name: '', text };
}
