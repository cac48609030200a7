/** A child process as a lane sees it: lines over pipes, turns in a shared file, see `protocol.ts`. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { fileURLToPath } from 'node:url';
import { LineSplitter, outputMaxLength } from './bounds.ts';
import { listTree, residentBytes, signalTree } from './process-tree.ts';
import { ProcessTurns } from './process-turns.ts';
import type { Transport, TransportEvents } from './transport.ts';

/** A program that speaks the protocol. */
export interface ChildProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Characters of one line; a result is at most `outputMaxLength`, twice, and may be escaped. */
const lineMaxLength = 8 * outputMaxLength;
/** How long after its end the pipe of a child may stay open (something that it started holds it). */
const pipeGraceMs = 200;
/** The descendants of a child are looked up this often; its own memory at each check. */
const treeEveryMs = 250;

export class ProcessTransport implements Transport {
  readonly label: string;
  readonly #child: ChildProcess;
  readonly #turns = new ProcessTurns();
  readonly #pid: number;
  #tree: number[] = [];
  #treeAt = Number.NEGATIVE_INFINITY;
  #baseBytes: number | undefined;
  #heapMessage = false;
  #exited = false;

  constructor(program: ChildProgram, events: TransportEvents) {
    this.#child = this.#spawn(program);
    this.#pid = this.#child.pid ?? -1;
    this.label = `process ${this.#pid}`;
    this.#listen(events);
  }

  send(text: string): void {
    const down = this.#child.stdio[3] as Writable;
    if (!down.destroyed) down.write(`${text}\n`);
  }

  grant(_firstSeq: number, count: number): void {
    this.#turns.grant(count);
  }

  takeBack(_firstSeq: number, count: number): number {
    return count === 0 || this.#exited ? 0 : this.#turns.takeBack(count);
  }

  refreshFinished(): void {
    if (!this.#exited) this.#turns.refresh();
  }

  finishedUs(seq: number): number {
    return this.#turns.finishedUs(seq);
  }

  startedAt(): undefined {
    return undefined;
  }

  checkMemory(limitBytes: number, onExceeded: () => void): void {
    const now = performance.now();
    if (now - this.#treeAt > treeEveryMs) {
      this.#treeAt = now;
      this.#tree = listTree(this.#pid);
    }
    // A child has its own size before it has done anything; the limit is for what attempts add to it.
    if (residentBytes(this.#tree) - (this.#baseBytes ?? 0) > limitBytes) onExceeded();
  }

  heldBytes(): number {
    return residentBytes([this.#pid]) - (this.#baseBytes ?? 0);
  }

  kill(): void {
    if (this.#pid > 0) signalTree(this.#pid, 'SIGKILL');
  }

  #spawn(program: ChildProgram): ChildProcess {
    const { turnsDescriptor, finishedDescriptor } = this.#turns;
    try {
      return spawn(program.command, program.args, {
        // A group of its own: it can be ended with all that it started, and no Ctrl-C of a terminal reaches
        // it.
        detached: true,
        env: program.env,
        stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', turnsDescriptor, finishedDescriptor, 'pipe'],
        windowsHide: true,
      });
    } catch (error) {
      this.#turns.close();
      throw error;
    }
  }

  #listen(events: TransportEvents): void {
    const child = this.#child;
    const finish = (reason: string) => {
      if (this.#exited) return;
      events.onExit({ reason, outOfMemory: this.#heapMessage });
      this.#exited = true;
      this.#turns.close();
      for (const stream of child.stdio) stream?.destroy();
    };
    child.on('error', (error) => {
      // There is no `exit` for a program that could not be started.
      if (child.pid === undefined) finish(`could not be started: ${error.message}`);
    });
    const up = child.stdio[4] as Readable;
    this.#readUp(up, events);
    child.on('exit', (code, signal) => {
      const reason = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
      // All that it said before; V8 says on standard error that there was no memory left, and aborts.
      const aborted = signal === 'SIGABRT' || signal === 'SIGTRAP' || code === 134;
      const ends = [up, ...(aborted && child.stderr !== null ? [child.stderr] : [])].map(whenClosed);
      Promise.all(ends).then(
        () => finish(reason),
        () => finish(reason),
      );
      // Something that it started may hold the pipes.
      setTimeout(() => finish(reason), pipeGraceMs).unref();
    });
    for (const [name, stream] of [
      ['stdout', child.stdout],
      ['stderr', child.stderr],
    ] as const) {
      const splitter = new LineSplitter((line) => {
        if (line.includes('JavaScript heap out of memory')) this.#heapMessage = true;
        events.onLine(name, line);
      });
      stream?.on('data', (chunk: Buffer) => splitter.push(chunk)).on('end', () => splitter.end());
    }
    // Whatever goes wrong on a pipe is followed by the exit of the child, which tells more.
    for (const stream of child.stdio) stream?.on('error', () => undefined);
  }

  #readUp(up: Readable, events: TransportEvents): void {
    const decoder = new StringDecoder('utf8');
    let partial = '';
    up.on('data', (chunk: Buffer) => {
      this.#baseBytes ??= residentBytes([this.#pid]);
      const text = decoder.write(chunk);
      const end = text.lastIndexOf('\n');
      if (end === -1) {
        partial += text;
        if (partial.length > lineMaxLength) this.kill();
        return;
      }
      const lines = partial + text.slice(0, end);
      partial = text.slice(end + 1);
      const messages = parseLines(lines);
      if (messages !== undefined) {
        if (messages.length === 0) events.onFinished();
        else events.onMessages(messages);
        return;
      }
      events.onLine('stderr', `wrote to file descriptor 4 what is no message: ${lines.slice(0, 200)}`);
      this.kill();
    });
  }
}

/** Resolves when a stream has ended, whichever way. */
function whenClosed(stream: Readable): Promise<void> {
  if (stream.closed) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once('close', resolve);
  });
}

/** The messages of several lines, parsed in one go; undefined if they are none. */
function parseLines(lines: string): readonly unknown[] | undefined {
  try {
    // A line feed within a message is escaped, so those here are between lines.
    return (JSON.parse(`[${lines.replaceAll('\n', ',')}]`) as unknown[]).flat();
  } catch {
    return undefined;
  }
}

/**
 * The program for handlers in JavaScript and TypeScript: this Node, with the flags that the worker was given.
 */
export function nodeChildProgram(heapBytes: number | undefined): ChildProgram {
  const typescript = import.meta.url.endsWith('.ts');
  const entry = new URL(typescript ? './process-child.ts' : './process-child.js', import.meta.url);
  return {
    command: process.execPath,
    args: [
      ...inheritedFlags(process.execArgv),
      ...(heapBytes === undefined ? [] : heapFlags(heapBytes)),
      fileURLToPath(entry),
    ],
    env: process.env,
  };
}

/** Makes V8 collect within the limit; how much it lets new objects take before that is bounded as well. */
function heapFlags(heapBytes: number): string[] {
  const mebibytes = Math.ceil(heapBytes / (1024 * 1024));
  const young = Math.min(16, Math.max(1, Math.floor(mebibytes / 16)));
  return [`--max-old-space-size=${mebibytes}`, `--max-semi-space-size=${young}`];
}

/**
 * The flags of the worker without those that would make a child open a debugger, watch, or run something
 * else.
 */
function inheritedFlags(flags: readonly string[]): string[] {
  const withValue = /^(-e|--eval|-p|--print|-pe|--input-type)$/;
  const dropped = /^(-e|--eval|-p|--print|-pe|--input-type|--inspect|--watch|--test|-$)/;
  return flags.filter((flag, at) => !dropped.test(flag) && !withValue.test(flags[at - 1] ?? ''));
}
