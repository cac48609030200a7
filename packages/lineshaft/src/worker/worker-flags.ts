/**
 * The flags of `lineshaft worker`, and what they mean for the worker. Pure, but for the number of processors.
 */

import { availableParallelism } from 'node:os';
import type { LogLevel, WorkerOptions } from '@lineshaft/core';
import type { Option } from 'commander';
import { durationMs } from '../durations.ts';
import { hinted } from '../option-parsers.ts';
import { UsageError } from '../usage-error.ts';

export interface WorkerFlags {
  readonly queues?: string[];
  readonly concurrency?: number;
  readonly ncores?: number;
  readonly sleep?: number;
  readonly workername?: string;
  readonly capability?: string[];
  readonly projectIdFilter?: number[];
  readonly tag?: string[];
  readonly offer?: Record<string, string>;
  readonly executor?: 'async' | 'thread' | 'process' | 'command';
  readonly workerId?: string;
  readonly maxTasksPerChild?: number;
  readonly shutdownTimeout?: number;
  readonly loglevel?: LogLevel;
  readonly once?: boolean;
  readonly tasks?: string;
  readonly build?: string;
  /** Hidden: `dev` wants a line for each job that ended. */
  readonly reportFinished?: boolean;
}

const slotsDefault = 100;

/**
 * How many jobs run at once (slots), and how many threads or processes there are for those that compute. Each
 * where it is not given follows from the other:
 *
 * | given        | slots | threads or processes                                                          |
 * | ------------ | ----- | ----------------------------------------------------------------------------- |
 * | neither      | 100   | the processors of the machine                                                 |
 * | `--ncores N` | N     | N                                                                             |
 * | `-c N`       | N     | N with `--executor thread` or `process`; otherwise at most the processors     |
 * | both         | as given | as given                                                                   |
 */
export function slotsAndCores(
  flags: Pick<WorkerFlags, 'concurrency' | 'ncores' | 'executor'>,
  processors: number = availableParallelism(),
): { slots: number; cores: number } {
  const { concurrency, ncores, executor } = flags;
  const slots = concurrency ?? ncores ?? slotsDefault;
  // Who asks for so many jobs at once, and for a thread or process for each, gets them.
  const allParallel = concurrency !== undefined && (executor === 'thread' || executor === 'process');
  return { slots, cores: ncores ?? (allParallel ? slots : Math.min(slots, processors)) };
}

/** The options of a worker, as the core takes and checks them. */
export function workerOptions(flags: WorkerFlags): WorkerOptions {
  const { slots, cores } = slotsAndCores(flags);
  const { workername, workerId, executor, maxTasksPerChild } = flags;
  const tags = [
    ...(flags.tag ?? []),
    ...(flags.capability ?? []).map((capability) => `capability=${capability}`),
    ...(workername === undefined ? [] : [`workername=${workername}`]),
  ];
  return {
    slots,
    tags,
    executorOptions: { size: cores, ...(maxTasksPerChild === undefined ? {} : { maxTasksPerChild }) },
    ...(flags.queues === undefined ? {} : { queues: flags.queues }),
    ...(flags.projectIdFilter === undefined ? {} : { projectIds: flags.projectIdFilter }),
    ...(flags.sleep === undefined ? {} : { pollingIntervalMs: flags.sleep }),
    ...(flags.shutdownTimeout === undefined ? {} : { shutdownTimeoutMs: flags.shutdownTimeout }),
    ...(workername === undefined ? {} : { name: workername }),
    ...(flags.offer === undefined ? {} : { offers: flags.offer }),
    ...(workerId === undefined ? {} : { workerId }),
    ...(executor === undefined ? {} : { executor }),
    ...(flags.once === true ? { once: true } : {}),
  };
}

/** A project id, which may be given several times. @throws OPTION_INVALID */
export function projectId(text: string, previous: number[] = []): number[] {
  const id = /^\d+$/.test(text) ? Number(text) : 0;
  if (Number.isSafeInteger(id) && id > 0) return [...previous, id];
  throw new UsageError(
    `--project-id-filter must be the id of a project, a whole number of at least 1, not '${text}'; ` +
      'see: lineshaft project list',
    { field: '--project-id-filter' },
  );
}

/** How often to look for jobs: seconds, or a duration with a unit. @throws OPTION_INVALID */
export function sleepMs(text: string): number {
  const ms = durationMs(text);
  if (ms !== undefined && ms >= 10 && ms <= 3_600_000) return ms;
  throw new UsageError(
    `--sleep must be from 10ms to 1h, such as 3, 0.5 or 500ms (a bare number is seconds), not '${text}'`,
    {
      field: '--sleep',
    },
  );
}

const levels: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  silent: 'silent',
};

/** The option `--loglevel`, or another of its kind: in any case, `warning` for `warn`. */
export function logLevelOption(name = '--loglevel'): Option {
  const names = ['debug', 'info', 'warn', 'error', 'silent'];
  return hinted(`${name} <level>`, 'what is logged (default: info)', names).argParser((text) => {
    const level = levels[text.toLowerCase()];
    if (level !== undefined) return level;
    throw new UsageError(`${name} must be debug, info, warn, error or silent, not '${text}'`, {
      field: name,
    });
  });
}
