/** What callers and workers of runs saw, written outside the database; `at` is monotonicMs. */
import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicMs } from '../monotonic.ts';

export type RunEntry =
  /** A start was acknowledged; one that was sent again, with the same key, may be so more than once. */
  | {
      readonly e: 'ack';
      readonly run: string;
      readonly shape: string;
      readonly n: number;
      readonly key: string;
    }
  /** A handler begins. `via`: the server that gave it to a worker that polls. */
  | { readonly e: 'start'; readonly step: string; readonly via?: string }
  /** A handler ends: it returns, throws as it should, or says nothing more, as it should. */
  | { readonly e: 'returned' | 'threw' | 'hung'; readonly step: string }
  /** A report is about to be sent to a server. */
  | { readonly e: 'told'; readonly step: string; readonly via: string }
  /** A server has acknowledged the report of a worker that polls. */
  | { readonly e: 'reported'; readonly step: string; readonly status: string }
  /** A report brought no answer, or that the server can do nothing now; it is sent again. */
  | { readonly e: 'unheard'; readonly step: string; readonly why: string }
  /** A start or a report was refused, which none should be. */
  | { readonly e: 'refused'; readonly what: string }
  /** Results that came too late. */
  | { readonly e: 'late'; readonly steps: readonly string[] }
  /** The process did not get to run for a while, which ended at `at`. */
  | { readonly e: 'stall'; readonly ms: number };

export type SignedEntry = RunEntry & { readonly at: number; readonly by: string };

/** A process that did not get to run for so long says so. */
const stallMs = 400;
const lookMs = 100;

export function openRunLedger(folder: string, name: string): (entry: RunEntry) => void {
  const handle = openSync(join(folder, `${name}.runs`), 'a');
  const write = (entry: RunEntry): void => {
    writeSync(handle, `${JSON.stringify({ ...entry, at: monotonicMs(), by: name })}\n`);
  };
  let lookedMs = monotonicMs();
  setInterval(() => {
    const nowMs = monotonicMs();
    if (nowMs - lookedMs > stallMs) write({ e: 'stall', ms: nowMs - lookedMs });
    lookedMs = nowMs;
  }, lookMs).unref();
  return write;
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
