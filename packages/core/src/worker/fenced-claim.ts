/** A claim counts only for the row of the worker under which it was sent, and only once that worker's lease holds. */

import { isLineshaftError } from '../domain/errors.ts';
import type { Rest } from '../services/rest.ts';
import type { Row } from '../store/session.ts';

/** The foreign key of leases to workers. */
const workerIsGone = '23503';

/**
 * A worker that was taken for dead is refused, or what it claimed is taken from it again: then it comes back under another
 * row. Out of a rest the lease is renewed meanwhile, and nothing may start before it is.
 * @returns undefined: nothing is claimed
 */
export async function fencedClaim(
  host: {
    workerRow(): string;
    readonly rest: Pick<Rest, 'renewing'> | undefined;
    /** The database does not know this worker any more. */
    onDisowned(): Promise<void>;
  },
  claim: (workerRow: string) => Promise<Row[]>,
): Promise<Row[] | undefined> {
  const worker = host.workerRow();
  const renewing = host.rest?.renewing;
  try {
    const rows = await claim(worker);
    await renewing;
    return worker === host.workerRow() ? rows : undefined;
  } catch (error) {
    if (!isLineshaftError(error) || error.details['sqlstate'] !== workerIsGone) throw error;
    await renewing;
    if (worker === host.workerRow()) await host.onDisowned();
    return undefined;
  }
}
