/** The handler of example 7: counts primes, which keeps a processor busy. */

import type { JobContext } from '@lineshaft/core';

export default function countPrimes({ below }: { below: number }, job: JobContext): number {
  job.log.debug('counting', { below });
  const composite = new Uint8Array(below);
  let primes = 0;
  for (let number = 2; number < below; number += 1) {
    if (composite[number] === 1) continue;
    primes += 1;
    for (let multiple = number * number; multiple < below; multiple += number) composite[multiple] = 1;
  }
  return primes;
}

/** Never ends by itself; its time limit ends it. */
export function loopForEver(): never {
  for (;;);
}
