/** A thread (`worker_threads`) as a lane sees it. */

import { Worker } from 'node:worker_threads';
import { LineSplitter } from './bounds.ts';
import { makeSharedTurns, ThreadTurns } from './thread-turns.ts';
import type { Transport, TransportEvents } from './transport.ts';

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './thread-child.ts' : './thread-child.js',
  import.meta.url,
);
const mebibyte = 1024 * 1024;
/** Of the memory limit, what new objects may take; V8 keeps them in a space of their own. */
const youngShare = 1 / 8;

export class ThreadTransport implements Transport {
  readonly label: string;
  readonly #worker: Worker;
  readonly #turns: ThreadTurns;
  #memoryChecking = false;
  #memoryExceeded = false;

  /** @param memoryBytes limit of the heap of the thread; V8 ends it when it needs more. */
  constructor(memoryBytes: number | undefined, events: TransportEvents) {
    const shared = makeSharedTurns();
    this.#turns = new ThreadTurns(shared);
    this.#worker = new Worker(entry, {
      name: 'lineshaft',
      workerData: shared,
      stdout: true,
      stderr: true,
      ...(memoryBytes === undefined ? {} : { resourceLimits: resourceLimits(memoryBytes) }),
    });
    this.label = `thread ${this.#worker.threadId}`;
    this.#listen(events);
  }

  send(text: string): void {
    this.#worker.postMessage(text);
  }

  grant(firstSeq: number, count: number): void {
    this.#turns.grant(firstSeq, count);
  }

  takeBack(firstSeq: number, count: number): number {
    return this.#turns.takeBack(firstSeq, count);
  }

  refreshFinished(): void {}

  finishedUs(seq: number): number {
    return this.#turns.finishedUs(seq);
  }

  startedAt(seq: number): number | undefined {
    return this.#turns.startedAt(seq);
  }

  /** The limit of V8 covers objects and not buffers; this covers them. */
  checkMemory(limitBytes: number, onExceeded: () => void): void {
    if (this.#memoryChecking) return;
    this.#memoryChecking = true;
    this.#worker.getHeapStatistics().then(
      (heap) => {
        this.#memoryChecking = false;
        const exceeded = heap.external_memory > limitBytes;
        // Twice in a row: what has been let go counts until it is collected.
        if (exceeded && this.#memoryExceeded) onExceeded();
        this.#memoryExceeded = exceeded;
      },
      () => {
        // The thread is about to end; its exit tells why.
        this.#memoryChecking = false;
      },
    );
  }

  /** Each memory limit has threads of its own, and V8 collects before it ends one. */
  heldBytes(): number {
    return 0;
  }

  kill(): void {
    this.#worker.terminate().catch(() => undefined);
  }

  #listen(events: TransportEvents): void {
    let reason: string | undefined;
    let outOfMemory = false;
    this.#worker.on('message', (text: string) => {
      if (text === '[]') events.onFinished();
      else events.onMessages(JSON.parse(text) as readonly unknown[]);
    });
    this.#worker.on('error', (error: Error & { code?: string }) => {
      outOfMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      reason = `ended: ${error.message}`;
    });
    this.#worker.on('exit', (code) => {
      events.onExit({ reason: reason ?? `ended with exit code ${code}`, outOfMemory });
    });
    for (const name of ['stdout', 'stderr'] as const) {
      const splitter = new LineSplitter((line) => events.onLine(name, line));
      this.#worker[name].on('data', (chunk: Buffer) => splitter.push(chunk));
      this.#worker[name].on('end', () => splitter.end());
    }
  }
}

function resourceLimits(memoryBytes: number): {
  maxOldGenerationSizeMb: number;
  maxYoungGenerationSizeMb: number;
} {
  const young = Math.max(1, Math.floor((memoryBytes * youngShare) / mebibyte));
  return {
    maxYoungGenerationSizeMb: young,
    maxOldGenerationSizeMb: Math.max(1, Math.ceil(memoryBytes / mebibyte) - young),
  };
}
