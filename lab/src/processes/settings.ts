/** What the lab tells its processes: settings as the first argument, the rest by messages. */

import type { Border } from '../workflows/borders.ts';

export interface CallerSettings {
  readonly databaseUrl: string;
  readonly name: string;
  readonly ledger: string;
  readonly seed: number;
  readonly perSecond: number;
  readonly queue: string;
}

export interface WorkerSettings {
  readonly databaseUrl: string;
  readonly name: string;
  readonly ledger: string;
  readonly queue: string;
  readonly leaseMs: number;
  /** Writes results without the fence. */
  readonly unfenced: boolean;
}

export type Command =
  /** A caller begins no new calls, and ends when it knows of each whether it arrived. */
  | { readonly command: 'finish' }
  /** The clock jumps to this distance from the truth. */
  | { readonly command: 'clock'; readonly offsetMs: number }
  /** The process dies when it is at this border the next time, or tells; without one: at none. */
  | { readonly command: 'border'; readonly at?: Border; readonly act: 'die' | 'tell' };

/** A process that was to tell is at a border. */
export interface Reached {
  readonly reached: Border;
}

export interface Progress {
  readonly acked: number;
  readonly unsettled: number;
}

/** @throws TypeError where the process was not started by the lab */
export function readSettings<Settings>(): Settings {
  const [, , text] = process.argv;
  if (text === undefined) throw new TypeError('this program is started by the lab');
  return JSON.parse(text) as Settings;
}

/** A process of the lab ends with the lab, whatever became of it. */
export function endWithTheLab(): void {
  process.once('disconnect', () => process.exit(0));
}

export function onCommand(handle: (command: Command) => void): void {
  process.on('message', (message) => handle(message as Command));
}

/** Of processes that start runs, or do their steps. */
export interface RunProcessSettings {
  readonly databaseUrl: string;
  readonly name: string;
  /** Where its ledger is. */
  readonly folder: string;
  readonly seed: number;
  /** Of a native worker. */
  readonly leaseMs: number;
  /** Runs that it starts a second. */
  readonly perSecond: number;
  /** Those that it may ask, by their places. */
  readonly servers: readonly ServerAddress[];
  /** What it polls for. */
  readonly task: string;
}

export interface ServerAddress {
  readonly place: string;
  readonly url: string;
}
