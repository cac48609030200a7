/**
 * One thread or child process, and the attempts that it was given and has not reported: in the order in which
 * it runs them, so that only the first can be running. It knows how deep its queue may be and when something
 * is stuck; what to do about it is for `LanePool` to decide.
 */

import type { ErrorRecord } from '../../domain/attempt.ts';
import { Deque } from './deque.ts';
import type { Entry } from './entry.ts';
import type { Interruption } from './outcomes.ts';
import { succeededEmpty } from './outcomes.ts';
import type { AttemptEvent, Outcome } from './port.ts';
import type { DownMessage, UpMessage } from './protocol.ts';
import { decodeOutcome, encodeRun } from './protocol.ts';
import type { Loss, Transport, TransportEvents } from './transport.ts';

/** Who has the lanes. */
export interface LaneOwner {
  onReady(lane: Lane): void;
  /** A handler could not be loaded; the lane ends. */
  onRefused(lane: Lane, error: ErrorRecord): void;
  /** An attempt is known to run since then. */
  onStarted(entry: Entry, at: number): void;
  onEvent(entry: Entry, event: AttemptEvent): void;
  onOutcome(entry: Entry, outcome: Outcome): void;
  /** Attempts have ended: there is room. */
  onRoom(lane: Lane): void;
  onLine(lane: Lane, level: 'info' | 'warn' | 'error', line: string, stream?: string): void;
  /** It is no more. `unstarted` can run elsewhere; `running` is what it took with it. */
  onLost(lane: Lane, loss: Loss, unstarted: readonly Entry[], running: readonly Entry[]): void;
}

/** Work that may wait in a lane, by what its kinds took so far. */
const depthMs = 4;
/** Attempts of kinds that take longer than this wait for a free lane instead. */
const shortMs = 1;
/** Attempts in a lane; fewer than the slots of the ring of a thread. */
const depthMax = 512;
/** Characters of payloads in a lane. */
const depthLength = 256 * 1024;
/** A lane that has not reported for this long gets nothing more. */
const silentMs = 5;

export class Lane implements TransportEvents {
  readonly memoryBytes: number | undefined;
  readonly #owner: LaneOwner;
  readonly #transport: Transport;
  readonly #entries = new Deque<Entry>();
  /** Number of the first of `#entries`; those that follow have those that follow. */
  #firstSeq = 1;
  #outbox: Entry[] = [];
  #backlogMs = 0;
  #backlogLength = 0;
  #reportedAt = 0;
  #dropping = false;
  #closing = false;
  #ready = false;
  #worked = false;
  /** Attempts that it was given. */
  given = 0;
  /** Why it was ended on purpose, and what that means for the attempt that runs. */
  killedFor: 'memory' | undefined;
  /** The outcome of its attempt if it threw something outside of any handler. */
  fatal: Outcome | undefined;

  constructor(
    owner: LaneOwner,
    memoryBytes: number | undefined,
    open: (events: TransportEvents) => Transport,
    init: DownMessage,
  ) {
    this.#owner = owner;
    this.memoryBytes = memoryBytes;
    this.#transport = open(this);
    this.#transport.send(JSON.stringify([init]));
  }

  get label(): string {
    return this.#transport.label;
  }

  get ready(): boolean {
    return this.#ready && !this.#closing;
  }

  get closing(): boolean {
    return this.#closing;
  }

  get idle(): boolean {
    return this.#entries.length === 0;
  }

  /** Whether an attempt has ended in it. */
  get worked(): boolean {
    return this.#worked;
  }

  get backlogMs(): number {
    return this.#backlogMs;
  }

  /** Whether it may be given this attempt now; `now` is of `performance.now()`. */
  accepts(entry: Entry, now: number): boolean {
    if (!this.#ready || this.#closing || this.#dropping) return false;
    if (this.#entries.length === 0) return true;
    const { expectedMs } = entry.pace;
    return (
      expectedMs <= shortMs &&
      this.#backlogMs + expectedMs <= depthMs &&
      this.#entries.length < depthMax &&
      this.#backlogLength + entry.attempt.payloadText.length <= depthLength &&
      now - this.#reportedAt < silentMs
    );
  }

  /** Gives it an attempt; sent with `flush`. */
  give(entry: Entry, now: number): void {
    if (this.#entries.length === 0) this.#reportedAt = now;
    entry.lane = this;
    // Unknown counts as long: nothing waits behind it.
    entry.expectedMs = Math.min(entry.pace.expectedMs, depthMs + 1);
    this.#entries.push(entry);
    this.#outbox.push(entry);
    this.#backlogMs += entry.expectedMs;
    this.#backlogLength += entry.attempt.payloadText.length;
    this.given += 1;
  }

  /** Sends what it was given. */
  flush(): void {
    if (this.#outbox.length === 0) return;
    let seq = this.#firstSeq + this.#entries.length - this.#outbox.length;
    this.#transport.grant(seq, this.#outbox.length);
    const messages = this.#outbox.map((entry) => encodeRun(seq++, entry.attempt));
    this.#outbox = [];
    this.#transport.send(JSON.stringify(messages));
  }

  /**
   * Takes back all that have not started. Of those that stay the last one runs, or has just ended; those
   * before it have ended, and their reports are on the way.
   */
  reclaim(): Entry[] {
    this.#settleFinished();
    const taken = this.#dropping ? [] : this.#takeBack();
    if (taken.length > 0) {
      this.#dropping = true;
      this.#send(['drop']);
    }
    const first = this.#entries.first();
    if (first !== undefined && this.#entries.length === 1) {
      this.#start(first, this.#transport.startedAt(this.#firstSeq) ?? performance.now());
    }
    return taken;
  }

  /** Whether it has something that is not known to run. */
  get uncertain(): boolean {
    const first = this.#entries.first();
    return first !== undefined && (!first.started || this.#entries.length > 1);
  }

  /** Whether it has attempts that wait and has not reported since then. */
  isStuck(since: number): boolean {
    return this.uncertain && this.#reportedAt <= since;
  }

  /** Memory that it holds, beyond what it needed when it was new. */
  heldBytes(): number {
    return this.#transport.heldBytes();
  }

  /** The attempt that is known to run and has not got its outcome. */
  runningEntry(): Entry | undefined {
    const first = this.#entries.first();
    return first?.started === true && !first.ended ? first : undefined;
  }

  /** Asks an attempt to end; if it does not run any more, nothing happens. */
  interrupt(entry: Entry, why: Interruption): void {
    const at = this.#entries.indexOf(entry);
    if (at !== -1) this.#send(['cancel', this.#firstSeq + at, why]);
  }

  checkMemory(limitBytes: number, entry: Entry): void {
    this.#transport.checkMemory(limitBytes, () => {
      if (this.#entries.first() !== entry || entry.ended) return;
      this.killedFor = 'memory';
      this.kill();
    });
  }

  /** Lets it finish what it has and end; it gets nothing more. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#send(['stop']);
  }

  /** Ends it now. `onLost` follows. */
  kill(): void {
    this.#closing = true;
    this.#transport.kill();
  }

  /** @internal */
  onFinished(): void {
    this.#settleFinished();
    this.#owner.onRoom(this);
  }

  /** @internal */
  onMessages(messages: readonly unknown[]): void {
    for (const message of messages) {
      if (!Array.isArray(message) || !this.#receive(message as unknown as UpMessage)) {
        this.#owner.onLine(
          this,
          'error',
          `ended: it sent a message that has no meaning here: ${clip(message)}`,
        );
        this.kill();
        return;
      }
    }
    this.#owner.onRoom(this);
  }

  /** @internal */
  onLine(stream: 'stdout' | 'stderr', line: string): void {
    this.#owner.onLine(this, stream === 'stdout' ? 'info' : 'warn', line, stream);
  }

  /** @internal */
  onExit(loss: Loss): void {
    this.#settleFinished();
    const count = this.#entries.length;
    const unstarted = this.#entries.takeLast(
      count === 0 ? 0 : this.#transport.takeBack(this.#firstSeq, count),
    );
    for (const entry of unstarted) entry.lane = undefined;
    this.#closing = true;
    this.#owner.onLost(this, loss, unstarted, this.#entries.takeAll());
  }

  #takeBack(): Entry[] {
    const count = this.#entries.length;
    if (count === 0) return [];
    const taken = this.#entries.takeLast(this.#transport.takeBack(this.#firstSeq, count));
    this.given -= taken.length;
    for (const entry of taken) {
      entry.lane = undefined;
      this.#forget(entry);
    }
    return taken;
  }

  /** Whether the message made sense. */
  #receive(message: UpMessage): boolean {
    switch (message[0]) {
      case 'ready':
        this.#ready = true;
        this.#owner.onReady(this);
        return true;
      case 'refused':
        this.#owner.onRefused(this, message[1]);
        return true;
      case 'dropped':
        this.#dropping = false;
        this.#reportedAt = performance.now();
        return true;
      case 'fatal':
        this.fatal = { type: 'failed', error: message[1], retryable: message[2] };
        return true;
      case 'log':
        this.#owner.onLine(this, message[1], message[2]);
        return true;
      case 'start':
      case 'event':
        return this.#receiveNews(message);
      case 'ok':
      case 'failed':
      case 'snoozed':
      case 'cancelled':
      case 'returned':
        return this.#settleFirst(message[1], message[2], message);
      default:
        return false;
    }
  }

  #receiveNews(message: Extract<UpMessage, readonly ['start' | 'event', ...unknown[]]>): boolean {
    const entry = this.#reach(message[1]);
    if (entry === undefined) return false;
    const now = performance.now();
    this.#start(entry, this.#transport.startedAt(message[1]) ?? now);
    this.#reportedAt = now;
    if (message[0] === 'event' && !entry.ended) this.#owner.onEvent(entry, message[2]);
    return true;
  }

  #settleFirst(seq: number, us: number, message: UpMessage): boolean {
    const entry = this.#reach(seq);
    if (entry === undefined) return false;
    const outcome = message[0] === 'ok' && message.length === 3 ? succeededEmpty : decodeOutcome(message);
    this.#settle(entry, us, outcome);
    return true;
  }

  /** The attempt of that number, once those before it are settled; undefined: it is not here. */
  #reach(seq: number): Entry | undefined {
    if (seq !== this.#firstSeq) this.#settleFinished();
    return seq === this.#firstSeq ? this.#entries.first() : undefined;
  }

  #settleFinished(): void {
    if (this.#entries.length > 0) this.#transport.refreshFinished();
    for (let entry = this.#entries.first(); entry !== undefined; entry = this.#entries.first()) {
      const us = this.#transport.finishedUs(this.#firstSeq);
      if (us < 0) return;
      this.#settle(entry, us, succeededEmpty);
    }
  }

  #settle(entry: Entry, us: number, outcome: Outcome): void {
    this.#entries.shift();
    this.#firstSeq += 1;
    entry.lane = undefined;
    this.#worked = true;
    this.#reportedAt = performance.now();
    this.#forget(entry);
    const { pace } = entry;
    const tookMs = us / 1_000;
    pace.expectedMs = pace.expectedMs > 1e6 ? tookMs : pace.expectedMs + (tookMs - pace.expectedMs) * 0.2;
    if (!entry.ended) this.#owner.onOutcome(entry, outcome);
  }

  #start(entry: Entry, at: number): void {
    if (!entry.started && !entry.ended) this.#owner.onStarted(entry, at);
  }

  #forget(entry: Entry): void {
    this.#backlogMs = this.#entries.length === 0 ? 0 : this.#backlogMs - entry.expectedMs;
    this.#backlogLength -= entry.attempt.payloadText.length;
  }

  #send(message: DownMessage): void {
    this.#transport.send(JSON.stringify([message]));
  }
}

function clip(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 200);
}
