/** Finds what the demo audits: every package under a folder `node_modules`, scoped and nested ones too. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The folders of all packages under `nodeModules`, relative to it, sorted. Links (npm links the packages of a
 * workspace) and hidden folders (`.bin`, `.cache`, `.vite`) are left out.
 */
export async function findPackages(nodeModules: string, inside = ''): Promise<string[]> {
  const found: string[] = [];
  for (const name of await foldersIn(join(nodeModules, inside))) {
    const path = join(inside, name);
    const candidates = name.startsWith('@')
      ? (await foldersIn(join(nodeModules, path))).map((scoped) => join(path, scoped))
      : [path];
    for (const candidate of candidates) {
      if (await isFile(join(nodeModules, candidate, 'package.json'))) found.push(candidate);
      found.push(...(await findPackages(nodeModules, join(candidate, 'node_modules'))));
    }
  }
  return found.sort(inOrder);
}

/** The order of everything in the report: by code unit, the same in every locale. */
export function inOrder(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

async function foldersIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
