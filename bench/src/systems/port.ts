/**
 * The one interface behind which every measured system stands. A driver runs inside an agent process
 * (agent.ts), never in the harness, so that each system's CPU time and memory are its own.
 */
import type { Payload } from '../payload.ts';

export type Purpose = 'drain' | 'enqueue' | 'latency' | 'steady';

export interface DriverConfig {
  /** A database URL, or the path of a Redis socket. */
  readonly url: string;
  /** Which of the system's setups (catalog.ts) this is. */
  readonly setup: string;
  readonly purpose: Purpose;
  /** Whether finished jobs are kept. Systems that cannot choose do what they always do. */
  readonly keepHistory: boolean;
  /** What only one bench and one system understand. */
  readonly extra: Readonly<Record<string, string>>;
}

export type OnJob = (job: Payload) => void;
export type ExtraArguments = Readonly<Record<string, number | string>>;

export interface Producer {
  /** Resolves when the job is durable. */
  add(job: Payload): Promise<void>;
  /** Adds all of them in the fastest way that the system documents. */
  addAll(jobs: readonly Payload[]): Promise<void>;
  close(): Promise<void>;
}

export interface Worker {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface Driver {
  /** Version and every setting that is not the system's default. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Makes tables and queues in an empty store. */
  prepare(): Promise<void>;
  openProducer(): Promise<Producer>;
  /** Does what can be done before the clock starts; takes no job yet. */
  openWorker(onJob: OnJob): Promise<Worker>;
  /** Whether nothing waits and nothing runs. */
  isEmpty(): Promise<boolean>;
  close(): Promise<void>;
  readonly extras?: Readonly<Record<string, (args: ExtraArguments) => Promise<unknown>>>;
}

export type MakeDriver = (config: DriverConfig) => Promise<Driver>;

/** Calls `call` with chunks of `size`, `inFlight` calls at a time. */
export async function inChunks<T>(
  items: readonly T[],
  size: number,
  inFlight: number,
  call: (chunk: T[], lane: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (_: unknown, index: number): Promise<void> => {
    while (next < items.length) {
      const from = next;
      next += size;
      await call(items.slice(from, from + size), index);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}
