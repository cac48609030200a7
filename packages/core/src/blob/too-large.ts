/** The error for a blob that is longer than the reader takes. */

import { LineshaftError } from '../domain/errors.ts';

export function tooLarge(path: string, bytes: number, maxBytes: number): LineshaftError {
  return new LineshaftError('BLOB_TOO_LARGE', {
    message: `the blob '${path}' has ${bytes} bytes; at most ${maxBytes} are allowed`,
    details: { path, bytes, maxBytes },
  });
}
