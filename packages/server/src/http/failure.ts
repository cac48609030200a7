/** What went wrong with a request, as every dialect can say it in its own shape. Knows no dialect. */

import { errorCatalogue, isLineshaftError, type LineshaftError } from '@lineshaft/core';

export interface Violation {
  /** Where: a field, a parameter, a JSON path. */
  readonly path: string;
  readonly message: string;
  readonly invalidValue?: unknown;
}

export interface Failure {
  /** 400 to 599. */
  readonly status: number;
  /** A code of the catalogue of errors. */
  readonly code: string;
  /** For the caller: never a payload, never a secret. */
  readonly message: string;
  /** Whether the same request may succeed when it is made again later. */
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
  readonly violations: readonly Violation[];
  /** Seconds after which to come again; undefined: nothing is said of it. */
  readonly retryAfterSeconds?: number;
}

const byCategory: Readonly<Record<LineshaftError['category'], number>> = {
  invalid: 400,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  limit: 429,
  unavailable: 503,
  internal: 500,
};

/** Codes whose status says more than that of their category. */
const byCode: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  PAYLOAD_TOO_LARGE: 413,
  BODY_TOO_LARGE: 413,
  HEADERS_TOO_LARGE: 431,
  CLOSED: 503,
  WAIT_TIMEOUT: 504,
};

/** The failure that a thrown thing stands for; what nobody expected tells nothing of itself but 500. */
export function failureOf(thrown: unknown): Failure {
  if (isLineshaftError(thrown)) return ofCatalogue(thrown);
  return ofFramework(thrown) ?? unexpected;
}

/** A failure made here; its status, and whether to try again, follow from the catalogue. */
export function failure(
  code: keyof typeof errorCatalogue,
  message: string,
  more: Partial<Pick<Failure, 'details' | 'violations' | 'retryAfterSeconds'>> = {},
): Failure {
  const { category, retryable } = errorCatalogue[code];
  const status = byCode[code] ?? byCategory[category];
  return { status, code, message, retryable, details: {}, violations: [], ...more };
}

const unexpected: Failure = {
  status: 500,
  code: 'INTERNAL',
  message: 'the server failed; its log has the reason beside the id of the request',
  retryable: false,
  details: {},
  violations: [],
};

function ofCatalogue(error: LineshaftError): Failure {
  const { code, category, message, retryable, details } = error;
  const given = details['violations'];
  const seconds = details['retryAfterSeconds'];
  return {
    status: byCode[code] ?? byCategory[category],
    code,
    // What the database says of itself is for the log.
    message: category === 'internal' ? `${unexpected.message} (${code})` : message,
    retryable,
    details: category === 'internal' ? {} : details,
    violations: Array.isArray(given) ? (given as Violation[]) : [],
    ...(typeof seconds === 'number' ? { retryAfterSeconds: seconds } : {}),
  };
}

interface FrameworkError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly statusCode?: unknown;
  readonly validation?: readonly { readonly instancePath?: string; readonly message?: string }[];
  readonly validationContext?: string;
}

/** Errors of Fastify and of the parser of HTTP, by their codes. */
function ofFramework(thrown: unknown): Failure | undefined {
  const error = thrown as FrameworkError | null | undefined;
  if (error?.validation !== undefined) return ofSchema(error);
  const message = String(error?.message ?? '');
  switch (error?.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return failure('BODY_TOO_LARGE', 'the body is larger than this server takes');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return failure('REQUEST_INVALID', 'the body has not the length that Content-Length says');
    case 'FST_ERR_BAD_URL':
      return failure(
        'REQUEST_INVALID',
        'the path is not a URL: an escape such as %2F is incomplete or no UTF-8',
      );
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return failure('REQUEST_INVALID', 'the Content-Type is not one');
    case 'ECONNRESET':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return failure('REQUEST_INVALID', 'the connection was cut before the request was there');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return failure('REQUEST_TIMEOUT', 'the request did not arrive in time');
    case 'HPE_HEADER_OVERFLOW':
      return failure('HEADERS_TOO_LARGE', 'the headers are larger than 16 KiB');
  }
  if (typeof error?.code === 'string' && error.code.startsWith('HPE_'))
    return failure('REQUEST_INVALID', 'this is not HTTP');
  const { statusCode } = error ?? {};
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return failure('REQUEST_INVALID', message);
  return undefined;
}

function ofSchema(error: FrameworkError): Failure {
  const violations = (error.validation ?? []).map(({ instancePath, message }) => ({
    path: `${error.validationContext ?? 'request'}${(instancePath ?? '').replaceAll('/', '.')}`,
    message: message ?? 'is not allowed',
  }));
  const said = violations.map(({ path, message }) => `${path} ${message}`).join('; ');
  return failure('REQUEST_INVALID', said, { violations });
}
