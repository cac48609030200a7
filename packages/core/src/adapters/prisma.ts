/** Enqueue in an interactive transaction of Prisma. @module */

import { invalidOption } from '../domain/errors.ts';
import type { CallerTransaction } from '../queue/caller-transaction.ts';

/** What is used of a `Prisma.TransactionClient`. */
export interface PrismaTransaction {
  $queryRawUnsafe(text: string, ...values: never[]): PromiseLike<unknown>;
}

/**
 * An interactive transaction of Prisma on PostgreSQL. Workers are woken by a rate-limited NOTIFY in it, since
 * the library does not tell of commits.
 *
 * @param tx What `prisma.$transaction` gives to its function; not the client itself.
 * @throws LineshaftError OPTION_INVALID where it is no transaction
 * @example
 * await prisma.$transaction(async (tx) => {
 *   await tx.account.create({ data: { name: 'Ada' } });
 *   await lineshaft.within(fromPrisma(tx)).enqueue('send-email', { to: 'ada@example.org' });
 * });
 */
export function fromPrisma(tx: PrismaTransaction): CallerTransaction {
  const { $connect } = (tx ?? {}) as { $connect?: unknown };
  if (typeof $connect === 'function' || typeof tx?.$queryRawUnsafe !== 'function') {
    throw invalidOption('tx', tx, 'a transaction of Prisma: prisma.$transaction(async (tx) => …)');
  }
  return {
    // The text is ours and has no values in it; "unsafe" is Prisma's name for texts that are not templates.
    query: async (text, values) =>
      (await tx.$queryRawUnsafe(text, ...(values as never[]))) as readonly Record<string, unknown>[],
  };
}
