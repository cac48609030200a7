/** `ErrorResponse`, the shape of every error of the Conductor dialect. */

import type { ErrorAnswer } from '../../http/dialect.ts';
import type { Failure } from '../../http/failure.ts';

export function errorResponse(failure: Failure, request: { readonly host: string }): ErrorAnswer {
  const { status, code, message, retryable, violations } = failure;
  return {
    status,
    body: {
      status,
      code,
      message,
      instance: request.host,
      retryable,
      ...(violations.length === 0 ? {} : { validationErrors: violations }),
    },
  };
}
