/**
 * Where large things are kept apart from the database: the one port for it. An adapter is a class that implements it and
 * passes `blob.conformance.ts`. Blobs are written once and never changed: whoever writes under a path again writes the same.
 */

import { invalidOption } from '../domain/errors.ts';

export interface BlobStore {
  /** Keeps a blob; it is durable when this resolves, and never seen half-written. @throws BLOB_UNAVAILABLE, OPTION_INVALID */
  put(path: string, bytes: Uint8Array): Promise<void>;
  /**
   * A blob, whole. undefined: there is none.
   * @param maxBytes @throws BLOB_TOO_LARGE where it is longer, before it is read
   */
  get(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** Its length in bytes. undefined: there is none. */
  size(path: string): Promise<number | undefined>;
  /** Forgets a blob; in order where there is none. */
  delete(path: string): Promise<void>;
  /** Paths that begin so, in no order. */
  list(prefix: string): AsyncIterable<string>;
  /**
   * An address at which who has no credentials may read (GET) or write (PUT) the blob for a while. undefined: this store has
   * none that others could reach.
   * @param expiresSeconds 1 to 604,800
   */
  location(path: string, operation: 'READ' | 'WRITE', expiresSeconds: number): Promise<string | undefined>;
}

/**
 * A path as every store can have it: 1 to 512 characters of `A-Z a-z 0-9 . _ - /`, without empty parts, `.` and `..`.
 * @throws OPTION_INVALID
 */
export function checkedPath(path: string): string {
  const parts = path.split('/');
  const fine =
    path.length <= 512 &&
    parts.every((part) => /^[A-Za-z0-9._-]{1,200}$/.test(part) && part !== '.' && part !== '..');
  if (fine) return path;
  throw invalidOption(
    'path',
    path,
    "1 to 512 characters of 'A-Z a-z 0-9 . _ - /' without empty parts, '.' and '..'",
  );
}
