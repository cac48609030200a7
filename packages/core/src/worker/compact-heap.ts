/** Keeps the memory of a worker small. */

import { setFlagsFromString } from 'node:v8';

let done = false;

/**
 * Keeps V8's young generation at the size that it has now. Claimed jobs live just long enough to survive a scavenge,
 * which V8 takes for a reason to double that generation, up to 100 MB in all; a worker gains nothing by it. Holds for
 * the whole process, so a program whose handlers allocate much may say `compactHeap: false`.
 * Measured: a drain of 100,000 jobs peaks at 109 MB in place of 150 to 168, at the same rate.
 */
export function keepHeapCompact(): void {
  if (done) return;
  done = true;
  setFlagsFromString('--semi-space-growth-factor=1');
}
