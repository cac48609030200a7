/** What callers and workers of runs saw, written outside the database; `at` is monotonicMs. */
import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicMs } from '../monotonic.ts';

export type RunEntry =
  /** A start was acknowledged. */
  | { readonly e: 'ack'; readonly run: string; readonly shape: string; readonly n: number }
  /** A handler begins, and returns or throws. */
  | { readonly e: 'start' | 'returned' | 'threw'; readonly step: string }
  /** Results that came too late. */
  | { readonly e: 'late'; readonly steps: readonly string[] };

export type SignedEntry = RunEntry & { readonly at: number; readonly by: string };

export function openRunLedger(folder: string, name: string): (entry: RunEntry) => void {
  const handle = openSync(join(folder, `${name}.runs`), 'a');
  return (entry) => {
    writeSync(handle, `${JSON.stringify({ ...entry, at: monotonicMs(), by: name })}\n`);
  };
}

/** In the order of time. A process that was killed while it wrote leaves half a line at the end. */
export function readRunLedgers(folder: string): SignedEntry[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.runs'))
    .flatMap((name) => {
      const lines = readFileSync(join(folder, name), 'utf8').split('\n');
      lines.pop();
      return lines.map((line) => JSON.parse(line) as SignedEntry);
    })
    .toSorted((one, other) => one.at - other.at);
}
