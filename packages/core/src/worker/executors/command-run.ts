/** One attempt as a program: started, fed, watched and ended. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { HandlerCommand } from '../handler.ts';
import { LineSplitter } from './bounds.ts';
import type { Interruption } from './outcomes.ts';
import { checkOutput, failedAs, failedWith, interruptedOutcome, recordAs } from './outcomes.ts';
import type { Attempt, AttemptListener, Outcome } from './port.ts';
import { type ChildrenOf, listTree, residentBytes, signalGroup, signalTree } from './process-tree.ts';
import type { ProgramWatch } from './program-watch.ts';

/** Bytes of standard output that are kept; more is a failure (OUTPUT_INVALID). */
export const stdoutMaxBytes = 1024 * 1024;
/** Characters of standard error that the error keeps. */
const tailLength = 1_500;
/** How long after its end the pipes of a program may stay open (something that it started holds them). */
const pipeGraceMs = 200;
/** After SIGKILL, how long to wait for a process that the system does not end. */
const deathMs = 2_000;

/**
 * Exit codes for which trying again is useless. 64 to 66 and 78 are EX_USAGE, EX_DATAERR, EX_NOINPUT and
 * EX_CONFIG of BSD's sysexits.h, 126 and 127 are the shell's for what cannot be run or found. All others may
 * be tried again, above all 75, EX_TEMPFAIL.
 */
const hopelessExitCodes: ReadonlySet<number> = new Set([64, 65, 66, 78, 126, 127]);
const hopelessSpawnErrors: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR', 'ELOOP']);

export class CommandRun {
  readonly attempt: Attempt;
  readonly #listener: AttemptListener;
  readonly #onEnd: (run: CommandRun) => void;
  readonly #watch: ProgramWatch;
  readonly #child: ChildProcessWithoutNullStreams | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #stdout: Buffer[] = [];
  #stdoutBytes = 0;
  #stderrTail = '';
  #interruption: Interruption | undefined;
  #overMemory = false;
  #ended = false;

  constructor(
    command: HandlerCommand,
    attempt: Attempt,
    listener: AttemptListener,
    { onEnd, watch }: { onEnd: (run: CommandRun) => void; watch: ProgramWatch },
  ) {
    this.#watch = watch;
    this.attempt = attempt;
    this.#listener = listener;
    this.#onEnd = onEnd;
    try {
      this.#child = spawn(command.command, [...(command.args ?? [])], {
        cwd: command.cwd,
        detached: true,
        windowsHide: true,
        env: {
          ...process.env,
          ...command.env,
          LINESHAFT_JOB_ID: attempt.jobId,
          LINESHAFT_KIND: attempt.kind,
          LINESHAFT_ATTEMPT: String(attempt.attempt),
          LINESHAFT_QUEUE: attempt.queue,
        },
      });
      if (this.#child.pid !== undefined) watch.started(this.#child.pid);
      this.#listen(this.#child);
    } catch (thrown) {
      // Not before the constructor is done: the outcome is given to those who know this run already.
      queueMicrotask(() => this.#end(failedWith(thrown)));
    }
  }

  /** Asks it to end: SIGTERM to all that it started, SIGKILL after the grace. */
  interrupt(why: Interruption, graceMs: number): void {
    if (this.#ended || this.#interruption !== undefined) return;
    this.#interruption = why;
    this.#signal('SIGTERM');
    this.#later(graceMs, () => this.kill());
  }

  /** Ends it now. */
  kill(): void {
    if (this.#ended) return;
    this.#signal('SIGKILL');
    this.#later(deathMs, () => this.#end(this.#outcomeOf(null, 'SIGKILL')));
  }

  /** Ends it if it and its descendants use more memory than it may. */
  checkMemory(children: ChildrenOf): void {
    const limit = this.attempt.memoryBytes;
    const pid = this.#child?.pid;
    if (limit === undefined || pid === undefined || this.#overMemory) return;
    if (residentBytes(listTree(pid, children)) <= limit) return;
    this.#overMemory = true;
    this.kill();
  }

  #listen(child: ChildProcessWithoutNullStreams): void {
    const { attempt } = this;
    child.on('spawn', () => {
      this.#listener.onStart(attempt);
      if (attempt.timeoutMs !== undefined) {
        this.#later(attempt.timeoutMs, () => this.interrupt('time-limit', termGraceMs));
      }
    });
    child.on('error', (error) => {
      if (child.pid === undefined) this.#end(spawnFailed(error));
    });
    child.on('exit', (code, signal) => {
      // What it has left running would hold the pipes, and nobody would know of it.
      if (child.pid !== undefined) {
        signalGroup(child.pid, 'SIGKILL');
        this.#watch.ended(child.pid);
      }
      const end = () => this.#end(this.#outcomeOf(code, signal));
      child.once('close', end);
      this.#later(pipeGraceMs, end);
    });
    child.stdout.on('data', (chunk: Buffer) => {
      this.#keepStdout(chunk);
      this.#heard();
    });
    this.#readStderr(child);
    // A program need not read what it is sent.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined);
    child.stdin.end(attempt.payloadText);
  }

  /** Whatever it writes tells that it lives. */
  #heard(): void {
    if (!this.#ended) this.#listener.onEvent(this.attempt, { type: 'heartbeat' });
  }

  #keepStdout(chunk: Buffer): void {
    this.#stdoutBytes += chunk.length;
    if (this.#stdoutBytes <= stdoutMaxBytes) this.#stdout.push(chunk);
  }

  #readStderr(child: ChildProcessWithoutNullStreams): void {
    const fields = { stream: 'stderr' };
    const splitter = new LineSplitter((message) => {
      if (!this.#ended) this.#listener.onEvent(this.attempt, { type: 'log', level: 'info', message, fields });
    });
    const decoder = new TextDecoder();
    child.stderr.on('data', (chunk: Buffer) => {
      this.#heard();
      splitter.push(chunk);
      this.#stderrTail = (this.#stderrTail + decoder.decode(chunk, { stream: true })).slice(-tailLength);
    });
    child.stderr.on('end', () => splitter.end());
  }

  #outcomeOf(code: number | null, signal: NodeJS.Signals | null): Outcome {
    if (this.#overMemory) {
      const bytes = this.attempt.memoryBytes ?? 0;
      return failedAs(
        'MEMORY_LIMIT_EXCEEDED',
        `the program used more memory than its limit of ${bytes} bytes`,
      );
    }
    if (this.#interruption !== undefined) return interruptedOutcome(this.#interruption, this.attempt);
    if (code === 0) return this.#succeeded();
    const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
    const tail = this.#stderrTail.trim();
    const message = `the program ${how}${tail === '' ? '' : `; its standard error ends with: ${tail}`}`;
    return commandFailed(message, code === null || !hopelessExitCodes.has(code));
  }

  #succeeded(): Outcome {
    if (this.#stdoutBytes > stdoutMaxBytes) {
      const wrote = `the program wrote ${this.#stdoutBytes} bytes to standard output`;
      return failedAs('OUTPUT_INVALID', `${wrote}; at most ${stdoutMaxBytes} are possible`);
    }
    try {
      const outputText = outputOf(Buffer.concat(this.#stdout).toString('utf8'));
      if (outputText !== undefined) checkOutput(outputText);
      return { type: 'succeeded', outputText, enqueue: [] };
    } catch (thrown) {
      return failedWith(thrown);
    }
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const pid = this.#child?.pid;
    if (pid !== undefined) signalTree(pid, signal);
  }

  #later(delayMs: number, act: () => void): void {
    this.#timers.push(setTimeout(act, delayMs));
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const stream of this.#child?.stdio ?? []) stream?.destroy();
    this.#onEnd(this);
    this.#listener.onOutcome(this.attempt, outcome);
  }
}

/** What a program has, after its time limit, between SIGTERM and SIGKILL. */
const termGraceMs = 1_000;

/** JSON stays as it is, any other text becomes a JSON string, nothing stays nothing. */
function outputOf(stdout: string): string | undefined {
  const text = stdout.trim();
  if (text === '') return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text.replaceAll('\u0000', '\uFFFD'));
  }
}

function spawnFailed(error: NodeJS.ErrnoException): Outcome {
  return commandFailed(
    `the program could not be started: ${error.message}`,
    !hopelessSpawnErrors.has(error.code ?? ''),
  );
}

function commandFailed(message: string, retryable: boolean): Outcome {
  return { type: 'failed', error: recordAs('COMMAND_FAILED', message), retryable };
}
