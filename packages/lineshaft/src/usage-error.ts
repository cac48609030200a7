/** Bad input that the command finds by itself, before anything of the core is loaded. */

import type { ErrorCategory } from '@lineshaft/core';

/** Shaped as a `LineshaftError`; see `report-error.ts`. */
export class UsageError extends Error {
  override readonly name = 'LineshaftError';
  readonly code: 'OPTION_INVALID' | 'PAYLOAD_INVALID';
  readonly category: ErrorCategory = 'invalid';
  readonly retryable = false;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    code: 'OPTION_INVALID' | 'PAYLOAD_INVALID' = 'OPTION_INVALID',
  ) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
