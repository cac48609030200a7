/**
 * The log of the server, kept small: the file that is written to and one older one. The server writes into it
 * by itself (append mode), so it is copied and emptied, never renamed under it.
 */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
} from 'node:fs';

export const logLimitBytes = 4 * 1024 * 1024;

/** Moves the log aside if it has grown beyond the limit. */
export function boundLog(path: string, limitBytes = logLimitBytes): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= limitBytes) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
}

/** Adds a line of the keeper to the log; a log that can't be written stops nothing. */
export function writeLog(path: string, line: string): void {
  try {
    appendFileSync(path, `${new Date().toISOString()} [${process.pid}] KEEPER:  ${line}\n`, { mode: 0o600 });
  } catch {
    // The disk may be full; what matters is said to the users as well.
  }
}

/** The text from a byte position on, at most the last 4 KiB of it. */
export function readLogSince(path: string, position: number): string {
  const file = openSync(path, 'r');
  try {
    const size = fstatSync(file).size;
    const from = Math.max(position > size ? 0 : position, size - 4096);
    const buffer = Buffer.alloc(size - from);
    readSync(file, buffer, 0, buffer.length, from);
    return buffer.toString('utf8');
  } finally {
    closeSync(file);
  }
}
