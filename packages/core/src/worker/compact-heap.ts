/** Keeps the memory of a worker small. */

import { setFlagsFromString } from 'node:v8';

let done = false;

/**
 * Keeps V8's heap from growing for no use. The young generation stays at the size that it has now: claimed jobs live just long
 * enough to survive a scavenge, which V8 takes for a reason to double it, up to 100 MB in all. The old one, where those
 * jobs die, may double between two collections, in place of V8's up to four times. Holds for the whole process, so a program
 * whose handlers allocate much may say `compactHeap: false`.
 * Measured: a drain of 100,000 jobs peaks at 112 MB in place of 130 with the first alone, and of 150 to 168 with neither, for 4 %
 * more CPU of the worker.
 */
export function keepHeapCompact(): void {
  if (done) return;
  done = true;
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=100');
}
