/**
 * Runs any program: one process per attempt, in a group of its own.
 *
 * - Standard input: the payload as JSON. Environment: the worker's, the handler's `env`, and
 *   LINESHAFT_JOB_ID, LINESHAFT_KIND, LINESHAFT_ATTEMPT and LINESHAFT_QUEUE.
 * - Standard output, at most 1 MiB, is the output: JSON if it is JSON, otherwise a string without the space
 *   around it. Standard error goes to the log line by line, and its end into the error.
 * - Exit code 0 is success. 64, 65, 66, 78, 126 and 127 fail for good; all others may be tried again.
 * - When it ends, whatever it left running in its group is ended too. On a time limit or cancel the whole
 *   tree gets SIGTERM, then SIGKILL; the outcome comes when it is dead.
 *
 * When the worker itself is killed its programs are ended too (`program-watch.ts`); what has left their process group is
 * not.
 */

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { describeValue, LineshaftError } from '../../domain/errors.ts';
import type { HandlerCommand, HandlerSource } from '../handler.ts';
import { stopGraceMs } from './bounds.ts';
import { CommandRun } from './command-run.ts';
import { refuseHandler } from './load-handler.ts';
import { failedAs, returned, unknownKind } from './outcomes.ts';
import type { Attempt, AttemptListener, Executor, ExecutorName } from './port.ts';
import { canMeasureMemory, readChildren } from './process-tree.ts';
import { ProgramWatch } from './program-watch.ts';

export interface CommandExecutorOptions {
  readonly handlers: ReadonlyMap<string, HandlerSource>;
  readonly concurrency: number;
}

/** How often the memory of programs that have a limit is looked at. */
const memoryEveryMs = 50;

export class CommandExecutor implements Executor {
  readonly name: ExecutorName = 'command';
  readonly concurrency: number;
  readonly #sources: ReadonlyMap<string, HandlerSource>;
  readonly #commands = new Map<string, HandlerCommand>();
  readonly #runs = new Map<string, CommandRun>();
  readonly #watch = new ProgramWatch();
  #memoryTimer: NodeJS.Timeout | undefined;
  #stopping = false;
  #onDrained: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: CommandExecutorOptions) {
    this.concurrency = options.concurrency;
    this.#sources = options.handlers;
  }

  async start(): Promise<void> {
    for (const [kind, source] of this.#sources) {
      if (source.type !== 'command')
        refuseHandler(kind, source, this.name, "use the executor 'async' or 'process'");
      checkProgram(kind, source);
      this.#commands.set(kind, source);
    }
  }

  run(attempt: Attempt, listener: AttemptListener): void {
    if (this.#stopping) {
      listener.onOutcome(attempt, returned);
      return;
    }
    const command = this.#commands.get(attempt.kind);
    if (command === undefined) {
      listener.onOutcome(attempt, unknownKind(attempt));
      return;
    }
    if (attempt.memoryBytes !== undefined && !canMeasureMemory) {
      const message = `a memory limit cannot be held for programs on ${process.platform}; remove the limit`;
      listener.onOutcome(attempt, failedAs('OPTION_INVALID', message));
      return;
    }
    this.#watch.start();
    this.#runs.set(
      attempt.jobId,
      new CommandRun(command, attempt, listener, {
        onEnd: (run) => this.#forget(run),
        watch: this.#watch,
      }),
    );
    if (attempt.memoryBytes !== undefined) this.#watchMemory();
  }

  cancel(jobId: string, reason: 'cancelled' | 'shutdown' | 'lease-lost', graceMs: number): void {
    this.#runs.get(jobId)?.interrupt(reason, graceMs);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #forget(run: CommandRun): void {
    const { jobId } = run.attempt;
    if (this.#runs.get(jobId) === run) this.#runs.delete(jobId);
    if (this.#runs.size === 0) this.#onDrained?.();
  }

  #watchMemory(): void {
    this.#memoryTimer ??= setInterval(() => {
      const limited = [...this.#runs.values()].filter((run) => run.attempt.memoryBytes !== undefined);
      if (limited.length === 0) {
        clearInterval(this.#memoryTimer);
        this.#memoryTimer = undefined;
        return;
      }
      const children = readChildren();
      for (const run of limited) run.checkMemory(children);
    }, memoryEveryMs);
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    for (const run of this.#runs.values()) run.interrupt('shutdown', stopGraceMs);
    if (this.#runs.size > 0) {
      // Those that are in a longer grace already.
      const killTimer = setTimeout(() => {
        for (const run of this.#runs.values()) run.kill();
      }, stopGraceMs);
      await drained;
      clearTimeout(killTimer);
    }
    clearInterval(this.#memoryTimer);
    this.#watch.stop();
  }
}

/**
 * Refuses a command that cannot be found, so that it is known when the worker starts. @throws HANDLER_INVALID
 */
function checkProgram(kind: string, source: HandlerCommand): void {
  const { command } = source;
  if (typeof command === 'string' && command !== '' && findProgram(source)) return;
  throw new LineshaftError('HANDLER_INVALID', {
    message: `the program for '${kind}' was not found, or cannot be run: ${describeValue(command)}`,
    details: { kind },
  });
}

function findProgram({ command, cwd, env }: HandlerCommand): boolean {
  if (isAbsolute(command) || command.includes('/')) return isProgram(resolve(cwd ?? '.', command));
  const path = env?.PATH ?? process.env.PATH ?? '';
  return path.split(delimiter).some((folder) => isProgram(join(folder, command)));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
