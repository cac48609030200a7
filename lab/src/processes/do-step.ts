/** What a step of the lab does, whichever kind of worker does it: its input says so. */
import { pause } from '../monotonic.ts';
import type { Random } from '../random.ts';
import type { RunEntry } from '../workflows/ledger.ts';

export interface StepInput {
  readonly n: unknown;
  /** Some of its attempts fail. */
  readonly failsOnce?: boolean;
  /** Of some of its attempts nothing more is heard. */
  readonly hangs?: boolean;
  /** It fails, and trying again is useless. */
  readonly refuses?: boolean;
}

export type StepEnd = 'returned' | 'failed' | 'refused' | 'hung';

const share = 0.3;

/** Takes a moment or none, and writes down how it ends before anybody hears of it. */
export async function doStep(
  stepId: string,
  input: StepInput,
  { random, write }: { readonly random: Random; readonly write: (entry: RunEntry) => void },
): Promise<StepEnd> {
  if (random.next() < 0.5) await pause(random.whole(0, 30));
  const end = endOf(input, random);
  write({ e: end === 'returned' || end === 'hung' ? end : 'threw', step: stepId });
  return end;
}

function endOf({ failsOnce = false, hangs = false, refuses = false }: StepInput, random: Random): StepEnd {
  if (refuses) return 'refused';
  if (hangs && random.next() < share) return 'hung';
  return failsOnce && random.next() < share ? 'failed' : 'returned';
}
