/** What only Lineshaft's own benches ask of it: other preloads, look-ups, contending commits. */
import { performance } from 'node:perf_hooks';
import type { Lineshaft } from '@lineshaft/core';
import { type Payload, payloads } from '../payload.ts';
import { contend } from './contention.ts';
import type { Driver, ExtraArguments } from './port.ts';

export const MIXED_QUEUES = 50;
const MIXED_PRIORITIES = 20;
/** Lanes join queue and requirements: 100 queues × 100 capabilities make 10,000. */
export const LANE_QUEUES = 100;
const LANE_CAPABILITIES = 100;
export const CAPABILITIES = Array.from({ length: LANE_CAPABILITIES }, (_, index) => `capability=c${index}`);

const PER_CALL = 50_000;
const A_WEEK_MS = 7 * 24 * 3_600_000;
const WAIT_TIMEOUT_MS = 10_000;

type Request = Parameters<Lineshaft['enqueueMany']>[0][number];

export function makeExtras(lineshaft: Lineshaft, url: string): NonNullable<Driver['extras']> {
  let remembered: string[] = [];
  const preload = async (args: ExtraArguments, request: (payload: Payload) => Request): Promise<string[]> => {
    const ids: string[] = [];
    const jobs = Number(args.jobs);
    for (let from = 0; from < jobs; from += PER_CALL) {
      const chunk = payloads(from, Math.min(PER_CALL, jobs - from)).map(request);
      for (const result of await lineshaft.enqueueMany(chunk)) ids.push(result.id);
    }
    return ids;
  };
  return {
    kept: (args) => preload(args, plain).then(() => null),
    forgotten: (args) => preload(args, forgotten).then(() => null),
    future: (args) => preload(args, future).then(() => null),
    elsewhere: (args) => preload(args, elsewhere).then(() => null),
    lanes: (args) => preload(args, inLanes).then(() => null),
    mixed: (args) => preload(args, mixed).then(() => null),
    remembered: async (args) => {
      remembered = await preload(args, plain);
      return null;
    },
    lookup: async (args) => lookUp(lineshaft, remembered, Number(args.count)),
    contend: (args) => contend(lineshaft, url, args),
  };
}

function plain(payload: Payload): Request {
  return { kind: 'noop', payload, queue: 'bench' };
}

function forgotten(payload: Payload): Request {
  return { ...plain(payload), retention: { succeededMs: 0 } };
}

function future(payload: Payload): Request {
  return { ...plain(payload), delayMs: A_WEEK_MS };
}

function elsewhere(payload: Payload): Request {
  return { ...plain(payload), requirements: ['capability=elsewhere'] };
}

function inLanes(payload: Payload): Request {
  const capability = CAPABILITIES[Math.floor(payload.n / LANE_QUEUES) % LANE_CAPABILITIES] ?? 'none';
  return { kind: 'noop', payload, queue: `lane-${payload.n % LANE_QUEUES}`, requirements: [capability] };
}

/** 10 % fail once and come back at once, 10 % have unique keys; 20 priorities, 50 queues. */
function mixed(payload: Payload): Request {
  const failsOnce = payload.n % 10 === 3;
  return {
    kind: 'noop',
    payload: failsOnce ? { ...payload, failsOnce } : payload,
    queue: `mixed-${Math.floor(payload.n / MIXED_PRIORITIES) % MIXED_QUEUES}`,
    priority: payload.n % MIXED_PRIORITIES,
    ...(failsOnce ? { backoff: { type: 'fixed' as const, delayMs: 0, jitter: 0 } } : {}),
    ...(payload.n % 10 === 7 ? { unique: { key: `key-${payload.n}` } } : {}),
  };
}

/** Times the look-up of `count` random finished jobs, one at a time: what `job show` does, then `waitFor`. */
async function lookUp(
  lineshaft: Lineshaft,
  ids: readonly string[],
  count: number,
): Promise<{ show: number[]; wait: number[] }> {
  const show: number[] = [];
  const wait: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const id = ids[Math.floor(Math.random() * ids.length)] ?? '';
    const start = performance.now();
    await lineshaft.showJob(id);
    const shown = performance.now();
    await lineshaft.waitFor([id], { timeoutMs: WAIT_TIMEOUT_MS });
    wait.push(performance.now() - shown);
    show.push(shown - start);
  }
  return { show, wait };
}
