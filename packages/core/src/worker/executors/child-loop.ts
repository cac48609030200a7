/**
 * The child's side of the protocol: takes attempts in their order, runs one at a time, and tells what became
 * of it. The same in threads and processes; what differs is behind `ChildLink`.
 */

import { recordError } from '../../domain/attempt.ts';
import type { Handler } from '../handler.ts';
import { AttemptRun, type RunHost } from './attempt-run.ts';
import { Deque } from './deque.ts';
import { loadHandler } from './load-handler.ts';
import type { Interruption } from './outcomes.ts';
import { readRetryable, unknownKind } from './outcomes.ts';
import type { Attempt, AttemptEvent, AttemptListener, Outcome } from './port.ts';
import type { DownMessage, RunMessage, UpMessage } from './protocol.ts';
import { decodeRun, encodeOutcome } from './protocol.ts';

export interface ChildLink {
  /** Whether this attempt may start; if not, the worker has taken it back. */
  takeTurn(seq: number, now: number): boolean;
  /** Notes that the attempt succeeded and has nothing to say, where the worker finds it. */
  finishEmpty(seq: number, tookUs: number): void;
  /** Sends messages, none of them to say: look what has finished. */
  send(messages: readonly UpMessage[]): void;
  exit(): void;
}

interface KindState {
  readonly handler: Handler;
  /** Mean of the last runs; decides whether a start is announced. */
  averageMs: number;
}

/** The worker learns of the start of shorter attempts together with their end. */
const announceFromMs = 0.2;
/**
 * While attempts keep coming, the worker is told of those that have finished: not of fewer, unless it is
 * time.
 */
const tellCount = 64;
const tellEveryMs = 1;
/** Progress and heartbeats are told at most this often. */
const reportEveryMs = 10;

export class ChildLoop implements AttemptListener, RunHost {
  readonly #link: ChildLink;
  readonly #kinds = new Map<string, KindState>();
  readonly #queue = new Deque<RunMessage>();
  #current: AttemptRun | undefined;
  #kind: KindState | undefined;
  #seq = 0;
  #startedAt = 0;
  #now = 0;
  #announced = true;
  #spoke = false;
  /** How many have finished that the worker has not been told to look at. */
  #untold = 0;
  #toldAt = 0;
  #immediateSet = false;
  #draining = false;
  #stopping = false;
  #progress: AttemptEvent | undefined;
  #progressAt = 0;
  #heartbeatAt = 0;

  constructor(link: ChildLink) {
    this.#link = link;
    // Some promise of the user's that nobody waits for: it belongs to no attempt for certain, so none fails.
    process.on('unhandledRejection', (reason) => {
      this.#send(['log', 'error', `unhandled rejection: ${recordError(reason).message}`]);
    });
    // After an exception that nobody caught the state of the process is unknown: it ends, and is replaced.
    process.on('uncaughtException', (thrown) => {
      this.#send(['fatal', recordError(thrown), readRetryable(thrown)]);
      process.exit(1);
    });
  }

  receive(messages: readonly DownMessage[]): void {
    for (const message of messages) this.#receiveOne(message);
    this.#drain();
  }

  onStart(): void {}

  onEvent(_attempt: Attempt, event: AttemptEvent): void {
    if (event.type === 'log' || event.type === 'spent') {
      this.#sendEvent(event);
    } else if (event.type === 'heartbeat') {
      const now = performance.now();
      if (now - this.#heartbeatAt < reportEveryMs) return;
      this.#heartbeatAt = now;
      this.#sendEvent(event);
    } else {
      this.#keepProgress(event);
    }
  }

  onOutcome(_attempt: Attempt, outcome: Outcome): void {
    this.#sendProgress();
    const seq = this.#seq;
    this.#now = performance.now();
    const tookMs = this.#now - this.#startedAt;
    if (this.#kind !== undefined) this.#kind.averageMs += (tookMs - this.#kind.averageMs) * 0.3;
    const tookUs = Math.min(Math.round(tookMs * 1_000), 2 ** 31 - 1);
    // An attempt that has sent something ends with a message too: `finishEmpty` may be seen before messages
    // are.
    if (!this.#spoke && isEmpty(outcome)) {
      this.#link.finishEmpty(seq, tookUs);
      this.#untold += 1;
      if (this.#untold >= tellCount || this.#now - this.#toldAt > tellEveryMs) this.#send();
    } else {
      this.#send(encodeOutcome(seq, tookUs, outcome));
    }
    this.#current = undefined;
    this.#drain();
  }

  /** @internal */
  onEnd(): void {}

  /** @internal */
  onHeartbeat(): void {}

  #receiveOne(message: DownMessage): void {
    switch (message[0]) {
      case 'run':
        this.#queue.push(message);
        break;
      case 'cancel':
        this.#cancel(message[1], message[2]);
        break;
      case 'drop':
        this.#queue.takeAll();
        this.#send(['dropped']);
        break;
      case 'stop':
        this.#stopping = true;
        break;
      case 'init':
        this.#load(message[1]).then(
          () => this.#send(['ready']),
          (thrown: unknown) => this.#send(['refused', recordError(thrown)]),
        );
        break;
    }
  }

  async #load(handlers: readonly (readonly [string, string, string])[]): Promise<void> {
    for (const [kind, url, exportName] of handlers) {
      const handler = await loadHandler(kind, url, exportName);
      this.#kinds.set(kind, { handler, averageMs: announceFromMs });
    }
  }

  #cancel(seq: number, reason: Interruption): void {
    if (this.#current !== undefined && this.#seq === seq) AttemptRun.interrupt(this.#current, reason);
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#now = performance.now();
    while (this.#current === undefined) {
      const next = this.#queue.first();
      // Without a turn the worker has taken it back, and all behind it: `drop` is on its way.
      if (next === undefined || !this.#link.takeTurn(next[1], this.#now)) break;
      this.#queue.shift();
      this.#run(next);
    }
    this.#draining = false;
    if (this.#untold > 0) this.#send();
    if (this.#stopping && this.#current === undefined && this.#queue.length === 0) this.#link.exit();
  }

  #run(message: RunMessage): void {
    const attempt = decodeRun(message);
    const kind = this.#kinds.get(attempt.kind);
    this.#kind = kind;
    this.#seq = message[1];
    this.#startedAt = this.#now;
    this.#announced = false;
    this.#spoke = false;
    const run = new AttemptRun(attempt, this, this);
    this.#current = run;
    if (kind === undefined) {
      AttemptRun.end(run, unknownKind(attempt));
      return;
    }
    if (kind.averageMs >= announceFromMs) this.#announce();
    AttemptRun.execute(run, kind.handler);
    // Still running: if that is so in the next turn of the event loop as well, the worker should know.
    if (this.#current !== undefined && !this.#announced && !this.#immediateSet) {
      this.#immediateSet = true;
      setImmediate(() => {
        this.#immediateSet = false;
        if (this.#current !== undefined && !this.#announced) this.#announce();
      });
    }
  }

  #send(...messages: readonly UpMessage[]): void {
    this.#untold = 0;
    this.#toldAt = this.#now;
    this.#link.send(messages);
  }

  #announce(): void {
    this.#announced = true;
    this.#spoke = true;
    this.#send(['start', this.#seq]);
  }

  #keepProgress(event: AttemptEvent): void {
    const waiting = this.#progress !== undefined;
    this.#progress = event;
    const waitMs = reportEveryMs - (performance.now() - this.#progressAt);
    if (waitMs <= 0) this.#sendProgress();
    else if (!waiting) setTimeout(() => this.#sendProgress(), waitMs).unref();
  }

  #sendProgress(): void {
    if (this.#progress === undefined) return;
    this.#progressAt = performance.now();
    this.#sendEvent(this.#progress);
    this.#progress = undefined;
  }

  #sendEvent(event: AttemptEvent): void {
    this.#spoke = true;
    this.#send(['event', this.#seq, event]);
  }
}

function isEmpty(outcome: Outcome): boolean {
  return outcome.type === 'succeeded' && outcome.outputText === undefined && outcome.enqueue.length === 0;
}
