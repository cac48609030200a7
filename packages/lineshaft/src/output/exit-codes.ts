/**
 * Exit codes of the command: the only place that knows them. `--help` and the documentation print this table.
 */

import type { ErrorCategory } from '@lineshaft/core';

export const exitCodes = {
  ok: 0,
  failed: 1,
  invalid: 2,
  'not-found': 3,
  conflict: 4,
  unavailable: 5,
  'timed-out': 6,
  forbidden: 7,
  interrupted: 130,
} as const;

export const exitCodeTable: readonly (readonly [number, string])[] = [
  [exitCodes.ok, 'done'],
  [exitCodes.failed, 'failed: the job that was waited for, a check of the doctor, or the command itself'],
  [exitCodes.invalid, 'bad input: a wrong command, option, argument or size; nothing was written'],
  [exitCodes['not-found'], 'no such job, queue or project'],
  [exitCodes.conflict, 'conflict: what is there does not allow it'],
  [exitCodes.unavailable, 'the database is not available, or not migrated'],
  [exitCodes['timed-out'], 'waited as long as was allowed'],
  [exitCodes.forbidden, 'not allowed'],
  [exitCodes.interrupted, 'interrupted (Ctrl-C)'],
];

const byCategory: Readonly<Record<ErrorCategory, number>> = {
  invalid: exitCodes.invalid,
  limit: exitCodes.invalid,
  'not-found': exitCodes['not-found'],
  conflict: exitCodes.conflict,
  forbidden: exitCodes.forbidden,
  unavailable: exitCodes.unavailable,
  internal: exitCodes.failed,
};

/** The exit code for an error of the catalogue. */
export function exitCodeOf(error: { readonly code: string; readonly category: ErrorCategory }): number {
  return error.code === 'WAIT_TIMEOUT' ? exitCodes['timed-out'] : byCategory[error.category];
}
