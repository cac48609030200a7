/**
 * Steps that become ready by a change of a run, or for which it makes room, go to polls of this process that wait for them in
 * the very statement that writes the change (`apply_runs.sql`): no message, no claim of their own and no commit more.
 * Others hear of them as ever. Types only.
 */

import type { Row } from '../store/session.ts';

/** The steps of a kind and a domain. */
export interface StepsOf {
  readonly kind: string;
  readonly domain: string | undefined;
}

/** A claim that goes along with a write. Exactly one of `taken` and `failed` is called. */
export interface ClaimBeside {
  /** The values of `apply_runs.sql` for `claim_remote`. */
  readonly values: readonly unknown[];
  /** Whether it looks at these steps: then nobody need be told that they are there. */
  covers(steps: StepsOf): boolean;
  /** It is written, and this was claimed: rows as those of `claim_remote.sql`. */
  taken(rows: readonly Row[]): void;
  /** Nothing was written, or it is not known. @param error undefined: others have changed a run meanwhile */
  failed(error: unknown): void;
}

export interface ClaimsBeside {
  /** A claim for the polls that wait for these steps; undefined: there are none. */
  claimBeside(steps: Iterable<StepsOf>): ClaimBeside | undefined;
}
