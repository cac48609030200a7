/**
 * The folder where what tests and benches fetch is kept between runs: outside of the repository, so that a fresh
 * check-out finds it again. `LINESHAFT_CACHE` names another one.
 */
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export function cacheFolder(): string {
  const { LINESHAFT_CACHE: chosen, XDG_CACHE_HOME: caches } = process.env;
  const folder = chosen || join(caches || join(homedir(), '.cache'), 'lineshaft');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * The path of an entry, made by `make` in a folder beside it if it is not there. It appears whole or not at all, and
 * of two processes that make it at once the second takes what the first one made.
 *
 * @param name says what is in it, versions and all: an entry never changes
 */
export async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const entry = join(cacheFolder(), name);
  if (exists(entry)) return entry;
  const unfinished = `${entry}.${process.pid}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  try {
    await make(unfinished);
    renameSync(unfinished, entry);
  } catch (error) {
    if (!exists(entry)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return entry;
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
