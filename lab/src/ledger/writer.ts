/**
 * Appends to a ledger file. Each entry is one write to a file that was opened for appending, so what was written
 * survives a kill -9 at the next instruction.
 */
import { openSync, writeSync } from 'node:fs';
import { monotonicMs } from '../monotonic.ts';
import type { Entry } from './entry.ts';

type Unsigned<E> = E extends Entry ? Omit<E, 'at'> : never;

export type Write = (entry: Unsigned<Entry>) => void;

export function openLedger(file: string, role: 'caller' | 'worker', name: string): Write {
  const handle = openSync(file, 'a');
  const write: Write = (entry) => {
    writeSync(handle, `${JSON.stringify({ ...entry, at: monotonicMs() })}\n`);
  };
  write({ e: 'open', role, name });
  return write;
}
