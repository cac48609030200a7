/** Drops a partition of history: detached first, concurrently, never under a reader's foot. */

import { isLineshaftError } from '../domain/errors.ts';
import type { Session, Statement } from '../store/session.ts';

/** Detaching waits for readers of the partition at most so long; then it is tried again in a later round. */
const detachTimeout = '3s';

/** Where a partition is between attached and gone: a drop that was cut short goes on from there. */
export type PartitionState = 'attached' | 'detaching' | 'detached';

/**
 * A reader holds the partition; somebody else drops it or has; another one is being detached: what is pending is
 * finished in a later round, and until then no other begins.
 */
const leftForLater: ReadonlySet<unknown> = new Set(['55P03', '42P01', '55000']);

/** @returns false where it must be left for a later round */
export async function dropPartition(
  session: Session,
  schema: string,
  name: string,
  state: PartitionState,
): Promise<boolean> {
  const part = `"${schema}"."${name}"`;
  const how = state === 'detaching' ? 'finalize' : 'concurrently';
  try {
    // Behind a pooler the setting would stay with a stranger; there the time-out of statements is the bound.
    if (!session.pooled) await session.query(plain(`set lock_timeout = '${detachTimeout}'`));
    if (state !== 'detached') {
      await session.query(plain(`alter table "${schema}".history detach partition ${part} ${how}`));
    }
    await session.query(plain(`drop table ${part}`));
    return true;
  } catch (error) {
    if (isLineshaftError(error) && leftForLater.has(error.details['sqlstate'])) return false;
    throw error;
  } finally {
    if (!session.pooled) await session.query(plain('set lock_timeout = 0')).catch(() => {});
  }
}

function plain(text: string): Statement {
  return { name: '', text };
}
