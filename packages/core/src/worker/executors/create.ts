/**
 * Makes executors. Which limit each of them holds, and how:
 *
 * | executor  | runs               | time limit           | memory limit           | cancel                |
 * | --------- | ------------------ | -------------------- | ---------------------- | --------------------- |
 * | `async`   | functions, modules | aborts the signal    | refused (²)            | aborts the signal     |
 * | `thread`  | modules            | ends the thread      | heap, and buffers      | signal, then as limit |
 * | `process` | modules            | kills the tree       | what the tree adds (¹) | signal, then as limit |
 * | `command` | programs           | SIGTERM, then kills  | of the whole tree (¹)  | as limit              |
 *
 * ¹ On Linux, where it can be measured; elsewhere as ².
 * ² An attempt with a memory limit fails with OPTION_INVALID and is not run.
 *
 * `thread` and `process` run one attempt at a time in each thread or child, so that ending one ends no other:
 * `size` of them run at once, the others up to `concurrency` wait here, and their time does not count yet.
 * Each memory limit has threads and children of its own, as V8 must know it from the start: an attempt with
 * another limit than the last one may wait for a thread or child to be made.
 */

import { availableParallelism } from 'node:os';
import { invalidOption } from '../../domain/errors.ts';
import type { ExecutorOptions, HandlerSource, JobLog } from '../handler.ts';
import { AsyncExecutor } from './async.ts';
import { CommandExecutor } from './command.ts';
import { LanePool } from './lane-pool.ts';
import { handlerUrl, refuseHandler } from './load-handler.ts';
import type { Executor, ExecutorName } from './port.ts';
import { nodeChildProgram, ProcessTransport } from './process-transport.ts';
import { canMeasureMemory } from './process-tree.ts';
import { ThreadTransport } from './thread-transport.ts';

export interface ExecutorSetup {
  /** What to run, by kind. */
  readonly handlers: ReadonlyMap<string, HandlerSource>;
  /** How many attempts it will be handed at most at a time; at least 1. */
  readonly concurrency: number;
  readonly options: ExecutorOptions;
  /**
   * Where it says what is of no job: children that were replaced, and what user code writes to standard
   * output.
   */
  readonly log: JobLog;
}

const maxTasksDefault = 100_000;
const memoryLeast = 16 * 1024 * 1024;

/** Makes an executor; `start()` makes it ready. @throws OPTION_INVALID */
export function createExecutor(name: ExecutorName, setup: ExecutorSetup): Executor {
  const { concurrency, options } = setup;
  checkInteger('concurrency', concurrency, 1);
  checkInteger('size', options.size, 1);
  checkInteger('maxTasksPerChild', options.maxTasksPerChild, 0);
  checkInteger('memoryBytes', options.memoryBytes, memoryLeast);
  switch (name) {
    case 'async':
      return new AsyncExecutor(setup);
    case 'thread':
      return createThreads(setup);
    case 'process':
      return createProcesses(setup);
    case 'command':
      return new CommandExecutor(setup);
    default:
      throw invalidOption('executor', name, "one of 'async', 'thread', 'process' and 'command'");
  }
}

function createThreads(setup: ExecutorSetup): Executor {
  const { memoryBytes } = setup.options;
  return new LanePool({
    name: 'thread',
    concurrency: setup.concurrency,
    size: sizeOf(setup),
    init: () => ['init', moduleHandlers('thread', setup.handlers)],
    open: (limit, events) => new ThreadTransport(limit, events),
    memoryBytes,
    canLimitMemory: true,
    maxTasks: 0,
    log: setup.log,
  });
}

function createProcesses(setup: ExecutorSetup): Executor {
  const { memoryBytes } = setup.options;
  return new LanePool({
    name: 'process',
    concurrency: setup.concurrency,
    size: sizeOf(setup),
    init: () => ['init', moduleHandlers('process', setup.handlers)],
    open: (limit, events) => new ProcessTransport(nodeChildProgram(limit), events),
    memoryBytes,
    canLimitMemory: canMeasureMemory,
    maxTasks: setup.options.maxTasksPerChild ?? maxTasksDefault,
    log: setup.log,
  });
}

/** More threads or children than attempts at a time would have nothing to do. */
function sizeOf(setup: ExecutorSetup): number {
  return Math.min(setup.options.size ?? availableParallelism(), setup.concurrency);
}

function moduleHandlers(
  name: ExecutorName,
  handlers: ReadonlyMap<string, HandlerSource>,
): [string, string, string][] {
  return [...handlers].map(([kind, source]) => {
    if (source.type === 'module') return [kind, handlerUrl(kind, source), source.export ?? 'default'];
    const remedy =
      source.type === 'function'
        ? "give the module that exports it, or use the executor 'async'"
        : "use the executor 'command'";
    return refuseHandler(kind, source, name, remedy);
  });
}

function checkInteger(field: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return;
  throw invalidOption(field, value, `an integer of at least ${least}`);
}
