/**
 * Errors of the embedded PostgreSQL: same shape and name as the `LineshaftError` of `@lineshaft/core`,
 * codes from its catalogue. A class of its own because the keeper process must start in milliseconds and so
 * loads nothing of core, and because errors travel from there to the caller as plain data.
 */

const kinds = {
  /** No binaries for this platform, or the server did not start. */
  EMBEDDED_UNAVAILABLE: { category: 'unavailable', retryable: false },
  /** Another process holds the folder and does not answer, or a time limit ran out. */
  EMBEDDED_BUSY: { category: 'unavailable', retryable: true },
  /** The data directory was made by another major version. */
  EMBEDDED_WRONG_VERSION: { category: 'conflict', retryable: false },
  /** The data directory is missing, incomplete or someone else's. */
  EMBEDDED_DATA_UNUSABLE: { category: 'conflict', retryable: false },
  /** A setting that the caller may not choose. */
  OPTION_INVALID: { category: 'invalid', retryable: false },
} as const;

export type EmbeddedErrorCode = keyof typeof kinds;

/** An error as it travels from the keeper to its users. */
export interface ErrorData {
  readonly code: EmbeddedErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What every message ends with when there is no other remedy. */
export const useAnotherDatabase = 'set LINESHAFT_DATABASE_URL to a PostgreSQL 15 or newer to use that one';

export class EmbeddedError extends Error {
  override readonly name = 'LineshaftError';
  readonly code: EmbeddedErrorCode;
  readonly category: 'unavailable' | 'conflict' | 'invalid';
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: EmbeddedErrorCode,
    what: { message: string; details?: Readonly<Record<string, unknown>>; cause?: unknown },
  ) {
    super(what.message, what.cause === undefined ? undefined : { cause: what.cause });
    this.code = code;
    this.category = kinds[code].category;
    this.retryable = kinds[code].retryable;
    this.details = what.details ?? {};
  }
}

/** The error for a file or socket of the folder's server that this user may not open. */
export function anotherUsers(path: string, cause: unknown): EmbeddedError {
  return new EmbeddedError('EMBEDDED_DATA_UNUSABLE', {
    message:
      `the embedded PostgreSQL of this folder belongs to another user (${path} can't be opened); ` +
      `run the command as that user, use another folder, or ${useAnotherDatabase}`,
    details: { path },
    cause,
  });
}

/** Any thrown value as data that can be sent; what is not ours becomes EMBEDDED_UNAVAILABLE. */
export function errorData(thrown: unknown): ErrorData {
  if (thrown instanceof EmbeddedError) {
    return { code: thrown.code, message: thrown.message, details: thrown.details };
  }
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return {
    code: 'EMBEDDED_UNAVAILABLE',
    message: `the embedded PostgreSQL did not start: ${text}; ${useAnotherDatabase}`,
    details: {},
  };
}

/** The error that was sent as data. */
export function errorFromData(data: ErrorData): EmbeddedError {
  const code = data.code in kinds ? data.code : 'EMBEDDED_UNAVAILABLE';
  return new EmbeddedError(code, { message: data.message, details: data.details });
}

/** The code of a system error (`ENOENT`, …), or '' for any other value. */
export function systemCode(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return '';
  return String(thrown.code);
}
