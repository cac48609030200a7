/** The differences that are known, as they are checked in. */
import type { KnownDifference } from './compare.ts';
import entries from './differences.json' with { type: 'json' };

export const known: readonly KnownDifference[] = entries;
