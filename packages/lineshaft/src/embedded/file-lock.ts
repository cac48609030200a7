/**
 * A lock that the operating system gives back when its holder dies, however it dies, so that there is no such
 * thing as a stale lock. Node has no call for it, but SQLite takes one (fcntl) on the file of an exclusive
 * transaction, on Linux and macOS, also between containers that share the folder. The file stays empty.
 */
import { DatabaseSync } from 'node:sqlite';
import { EmbeddedError, useAnotherDatabase } from './errors.ts';

export interface FileLock {
  release(): void;
}

const sqliteBusy = 5;

/** Takes the lock if nobody has it; undefined if somebody does. */
export function tryLock(path: string): FileLock | undefined {
  const database = openFile(path);
  try {
    database.exec('pragma journal_mode = memory');
    database.exec('begin exclusive');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return undefined;
    throw error;
  }
  return {
    release() {
      if (database.isOpen) database.close();
    },
  };
}

function openFile(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path);
  } catch (error) {
    throw new EmbeddedError('EMBEDDED_DATA_UNUSABLE', {
      message: `${path} can't be written to; run the command as its owner, or ${useAnotherDatabase}`,
      details: { path },
      cause: error,
    });
  }
}
