/**
 * House-keeping of the leader: history partitions are made days ahead and dropped when all in them has expired,
 * dead letters and unique keys past their time are forgotten, paused queues whose time has come are resumed.
 * What it writes names its term, so that a keeper that was paused does nothing when it wakes.
 */

import { wholeNumber } from '../domain/fields.ts';
import { definePlugin, type ServiceContext } from '../plugin.ts';
import { settings } from '../plugins/settings.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { dropPartition, type PartitionState } from './drop-partition.ts';
import type { Prospect } from './outlook.ts';
import type { Service } from './service.ts';

const sweepBatch = 1_000;
/** Longest sleep: a queue may be paused by somebody whose word does not reach us. */
const sleepMaxMs = 10_000;

export interface KeeperConfig {
  /** How often partitions are made and dropped, and what has expired is forgotten; 1 s to 1 hour. Default 1 min. */
  readonly intervalMs: number;
  /** How many days ahead partitions are made; 2 to 60. Default 7. */
  readonly daysAhead: number;
}

/** The built-in service that keeps house while its worker leads. */
export const keeper = definePlugin({
  name: 'keeper',
  dependsOn: ['leader'],
  config: settings<KeeperConfig>({
    intervalMs: { byDefault: 60_000, check: (value, field) => wholeNumber(value, field, 1_000, 3_600_000) },
    daysAhead: { byDefault: 7, check: (value, field) => wholeNumber(value, field, 2, 60) },
  }),
  service: createKeeper,
});

function createKeeper(context: ServiceContext<KeeperConfig>): Service {
  const { clock, leadership, config } = context;
  const { slowSession: session, statements, schema, outlook } = context.internals;
  let keptAtMs = Number.NEGATIVE_INFINITY;
  /** The day of which the partitions were made last. */
  let madeOn: string | undefined;
  const loop = context.loop({
    async round(signal) {
      const { term } = leadership;
      if (term === undefined) return sleepMaxMs;
      const next = await resumeQueues(term);
      if (clock.monotonic() - keptAtMs >= config.intervalMs) {
        madeOn = await makePartitions(session, statements, config.daysAhead, madeOn);
        await dropPartitions({ session, statements, schema, term, signal });
        while (!signal.aborted && leadership.term === term) {
          const [[swept = '0'] = []] = await session.query(statements.sweepDead, [sweepBatch, term]);
          if (Number(swept) < sweepBatch) break;
        }
        await session.query(statements.sweepSmall, [term]);
        keptAtMs = clock.monotonic();
      }
      const untilNextMs = keptAtMs + config.intervalMs - clock.monotonic();
      return Math.max(Math.min(outlook.sleepMs(next, next.resumeAtMs, sleepMaxMs), untilNextMs), 1);
    },
  });
  context.onMessage('elected', () => loop.wake());
  // Settings of queues have changed: one may have been paused for a while.
  context.onMessage('q', () => {
    outlook.forget();
    loop.wake();
  });
  return loop;

  async function resumeQueues(term: string): Promise<Prospect> {
    const next = await outlook.within(sleepMaxMs);
    if (next.resumeAtMs > clock.monotonic()) return next;
    await session.query(statements.resumeDueQueues, [term]);
    outlook.forget();
    return await outlook.within(sleepMaxMs);
  }
}

/**
 * Makes the history partitions of yesterday to some days ahead, by the clock of the database; once a day is enough.
 * Harmless when done twice. Returns the day.
 */
async function makePartitions(
  session: Session,
  statements: BoundStatements,
  daysAhead: number,
  madeOn: string | undefined,
): Promise<string> {
  const [[written = null] = []] = await session.query(statements.utcDay);
  const utcDay = written ?? '';
  if (utcDay === madeOn) return utcDay;
  const today = Date.parse(`${utcDay}T00:00:00Z`);
  for (let ahead = -1; ahead <= daysAhead; ahead += 1) {
    const day = new Date(today + ahead * 86_400_000).toISOString().slice(0, 10);
    await session.query(statements.makeHistoryPartition, [day]);
  }
  return utcDay;
}

/**
 * Drops the partitions in which everything has expired: detached first, concurrently, never under a reader's foot.
 * Detaching concurrently runs in no transaction, so the term is asked before each step; a step of a leader that was
 * deposed in between does what the next one would do.
 */
async function dropPartitions(options: {
  session: Session;
  statements: BoundStatements;
  schema: string;
  term: string;
  signal: AbortSignal;
}): Promise<void> {
  const { session, statements, schema, term } = options;
  for (const [name = null, , state] of await session.query(statements.expiredPartitions)) {
    if (name === null || options.signal.aborted) return;
    await session.query(statements.demandTerm, ['main', term]);
    if (!(await dropPartition(session, schema, name, state as PartitionState))) return;
  }
}
