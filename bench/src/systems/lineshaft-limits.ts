/** What `ops.limits` and `ops.fairness` ask of Lineshaft. What ran when is kept by the handlers, outside the queue. */
import type { Lineshaft, Worker } from '@lineshaft/core';
import type { DriverConfig } from './port.ts';

const QUEUE = 'bench';
/** Jobs of one call of enqueueMany. */
const BATCH = 20_000;

/** The limits of a variant, all on the queue of the bench. `extra.limits` names it. */
export async function declareLimits(lineshaft: Lineshaft, { extra }: DriverConfig): Promise<void> {
  const queues = [QUEUE];
  const key = { payload: 'key' };
  if (extra.limits === 'not-binding') {
    await lineshaft.declareLimit({ name: 'per-key', concurrency: 1_000, key, queues });
    await lineshaft.declareLimit({ name: 'all', concurrency: 1_000_000, queues });
    await lineshaft.declareLimit({ name: 'rate', rate: { amount: 100_000_000, perMs: 1_000 }, queues });
  }
  if (extra.limits === 'binding') {
    await lineshaft.declareLimit({ name: 'per-key', concurrency: Number(extra.perKey), key, queues });
    await lineshaft.declareLimit({ name: 'all', concurrency: Number(extra.all), queues });
  }
  if (extra.limits === 'fair') await lineshaft.declareLimit({ name: 'fair', fair: true, key, queues });
  if (extra.slots !== undefined) await lineshaft.declare({ name: QUEUE, concurrency: Number(extra.slots) });
}

/** An attempt: when it began and ended on the monotonic clock that all processes share, and its key. */
export type Interval = readonly [beganMs: number, endedMs: number, key: string];

export function makeLimitExtras(
  lineshaft: Lineshaft,
  { extra }: DriverConfig,
): Record<string, (args: unknown) => Promise<unknown>> {
  let worker: Worker | undefined;
  const intervals: Interval[] = [];
  return {
    /** Jobs of a kind, their keys in turn. */
    keyed: async (args) => {
      const { kind, jobs, keys, prefix } = args as {
        kind: string;
        jobs: number;
        keys: number;
        prefix: string;
      };
      for (let from = 0; from < jobs; from += BATCH) {
        await lineshaft.enqueueMany(
          Array.from({ length: Math.min(BATCH, jobs - from) }, (_, n) => ({
            kind,
            queue: QUEUE,
            payload: { key: `${prefix}${(from + n) % keys}`, pad: 'x'.repeat(220) },
          })),
        );
      }
    },
    startTimed: async (args) => {
      const { durationMs } = args as { durationMs: number };
      worker = lineshaft.worker({
        queues: [QUEUE],
        signals: false,
        slots: Number(extra.slots),
        handlers: {
          timed: async ({ key }: { key: string }) => {
            const beganMs = monotonicMs();
            await new Promise((resolve) => setTimeout(resolve, durationMs));
            intervals.push([beganMs, monotonicMs(), key]);
          },
        },
      });
      await worker.start();
    },
    /** How many attempts have ended, of keys with a prefix. */
    ended: async (args) => {
      const { prefix } = args as { prefix: string };
      return intervals.filter(([, , key]) => key.startsWith(prefix)).length;
    },
    stopTimed: async () => {
      await worker?.stopNow();
      return intervals;
    },
  };
}

/** The system's monotonic clock, the same in every process. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
