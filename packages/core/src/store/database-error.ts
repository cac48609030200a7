/** Sorts what the database and its driver throw into errors of the catalogue. */

import {
  describeValue,
  type ErrorCode,
  errorCatalogue,
  isLineshaftError,
  LineshaftError,
} from '../domain/errors.ts';

interface DriverError {
  readonly code?: string;
  readonly message?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly constraint?: string;
}

/** The error of the catalogue for anything that a query threw. */
export function databaseError(thrown: unknown): LineshaftError {
  if (isLineshaftError(thrown)) return thrown;
  const error = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as DriverError;
  const state = typeof error.code === 'string' ? error.code : '';
  if (state.startsWith('LS')) return ownError(error, thrown);
  if (isUnavailable(state, error.message ?? '')) {
    return new LineshaftError('DATABASE_UNAVAILABLE', {
      message: `the database is not available (${error.message ?? describeValue(thrown)})`,
      details: { sqlstate: state },
      cause: thrown,
    });
  }
  if (state === '42P01' || state === '3F000' || state === '42883') {
    return new LineshaftError('SCHEMA_MISSING', {
      message: `the database has no current Lineshaft schema (${error.message ?? state}); run: lineshaft migrate`,
      details: { sqlstate: state },
      cause: thrown,
    });
  }
  return new LineshaftError('DATABASE_FAILED', {
    message: `the database refused a statement: ${error.message ?? describeValue(thrown)} (SQLSTATE ${state || 'unknown'})`,
    details: { sqlstate: state, constraint: error.constraint },
    cause: thrown,
  });
}

/** Whether running the statement again may help at once: deadlocks and serialisation failures. */
export function isTransient(error: LineshaftError): boolean {
  return error.details['sqlstate'] === '40P01' || error.details['sqlstate'] === '40001';
}

/** An error that our own SQL raised: its DETAIL is JSON with the code of the catalogue. */
function ownError(error: DriverError, thrown: unknown): LineshaftError {
  let details: Record<string, unknown> = {};
  try {
    details = JSON.parse(error.detail ?? '{}') as Record<string, unknown>;
  } catch {
    details = {};
  }
  const { code, ...rest } = details;
  const known = typeof code === 'string' && code in errorCatalogue ? (code as ErrorCode) : 'DATABASE_FAILED';
  const hint = error.hint ? `; ${error.hint}` : '';
  return new LineshaftError(known, {
    message: `${error.message ?? known}${hint}`,
    details: rest,
    cause: thrown,
  });
}

/** Shutdowns, too many connections, a read-only standby, input/output errors, a full disk. */
const unavailableStates = new Set(
  '57P01 57P02 57P03 57P05 53100 53200 53300 53400 25006 58000 58030'.split(' '),
);
const unavailableCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);

function isUnavailable(state: string, message: string): boolean {
  if (unavailableStates.has(state) || unavailableCodes.has(state) || state.startsWith('08')) return true;
  return /connection terminated|timeout exceeded when trying to connect|query read timeout|client was closed|not queryable|server conn crashed|server_login|query_wait_timeout|pgbouncer/i.test(
    message,
  );
}
