/** Reads the ledger files of a run: entries in the order of time, each with the process that wrote it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from './entry.ts';

export type Signed = Entry & { readonly by: string };

export function readLedgers(folder: string): Signed[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ledger'))
    .flatMap((name) => readLedger(readFileSync(join(folder, name), 'utf8'), name))
    .toSorted((one, other) => one.at - other.at);
}

export function readLedger(text: string, file: string): Signed[] {
  const lines = text.split('\n');
  // A process that was killed while it wrote leaves half a line at the end, and nowhere else.
  lines.pop();
  const entries = lines.map((line) => JSON.parse(line) as Entry);
  const [first] = entries;
  if (first === undefined) return [];
  if (first.e !== 'open') throw new Error(`the ledger ${file} does not say who wrote it`);
  return entries.map((entry) => ({ ...entry, by: first.name }));
}
