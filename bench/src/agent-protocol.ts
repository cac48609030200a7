/** What the harness and an agent say to each other: one JSON object per message on Node's IPC channel. */
import type { DriverConfig, ExtraArguments } from './systems/port.ts';

/** What an agent is started with, as its one argument. */
export interface AgentSetup {
  readonly module: string;
  readonly config: DriverConfig;
}

/** Each command with its arguments and its answer. */
export interface Commands {
  settings: { args: Record<string, never>; answer: Record<string, unknown> };
  prepare: { args: Record<string, never>; answer: null };
  openProducer: { args: Record<string, never>; answer: null };
  /** Makes the payloads, then adds them: the answer is the time of the adding alone. */
  addAll: { args: { from: number; jobs: number }; answer: { ms: number } };
  oneByOne: { args: { from: number; jobs: number; inFlight: number }; answer: { ms: number } };
  openWorker: { args: Record<string, never>; answer: null };
  /** Starts the worker and sets the count of handled jobs to 0. */
  startWorker: { args: Record<string, never>; answer: null };
  stopWorker: { args: Record<string, never>; answer: null };
  waitEmpty: { args: { timeoutMs: number; everyMs?: number }; answer: null };
  latency: { args: { jobs: number; warmUp: number }; answer: { milliseconds: number[] } };
  steady: { args: { perSecond: number; seconds: number }; answer: { failed: number; reason: string } };
  /** Latencies of the jobs handled since the worker started, by the `at` in their payloads. */
  latencies: { args: Record<string, never>; answer: { milliseconds: number[] } };
  extra: { args: { name: string; args: ExtraArguments }; answer: unknown };
}

export type CommandName = keyof Commands;

export interface Request {
  readonly id: number;
  readonly command: CommandName;
  readonly args: Commands[CommandName]['args'];
}

export type Message =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly handled: number };
