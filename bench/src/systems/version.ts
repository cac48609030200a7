/** The version of an installed peer, read from its package.json. */
import { readFileSync } from 'node:fs';

export function versionOf(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
