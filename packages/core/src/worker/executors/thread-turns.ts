/**
 * The turns of a thread, in memory that both sides see: a ring with one slot per attempt under way. A turn is
 * taken, or taken back, with one compare-and-exchange, so that exactly one side gets it. Success without
 * output is told through the ring as well, which makes it known even if the thread is ended in the next
 * instant.
 */

/** Slots of the ring; more attempts than this are never under way in a thread. */
export const ringSize = 1_024;

const free = 0;
const granted = 1;
const started = 2;
const finished = 3;

/** The memory shared with a thread. */
export interface SharedTurns {
  readonly states: SharedArrayBuffer;
  readonly tookUs: SharedArrayBuffer;
  readonly startedAt: SharedArrayBuffer;
}

export function makeSharedTurns(): SharedTurns {
  return {
    states: new SharedArrayBuffer(ringSize * 4),
    tookUs: new SharedArrayBuffer(ringSize * 4),
    startedAt: new SharedArrayBuffer(ringSize * 8),
  };
}

export class ThreadTurns {
  readonly #states: Int32Array;
  readonly #tookUs: Int32Array;
  readonly #startedAt: Float64Array;

  constructor(shared: SharedTurns) {
    this.#states = new Int32Array(shared.states);
    this.#tookUs = new Int32Array(shared.tookUs);
    this.#startedAt = new Float64Array(shared.startedAt);
  }

  /** Worker: lets attempts start. */
  grant(firstSeq: number, count: number): void {
    for (let seq = firstSeq; seq < firstSeq + count; seq += 1)
      Atomics.store(this.#states, seq % ringSize, granted);
  }

  /** Worker: takes back the turns of those that have not started, which are the last ones. */
  takeBack(firstSeq: number, count: number): number {
    let taken = 0;
    for (let seq = firstSeq + count - 1; seq >= firstSeq; seq -= 1) {
      if (Atomics.compareExchange(this.#states, seq % ringSize, granted, free) !== granted) break;
      taken += 1;
    }
    return taken;
  }

  /** Thread: takes the turn of an attempt. */
  take(seq: number, now: number): boolean {
    const slot = seq % ringSize;
    this.#startedAt[slot] = performance.timeOrigin + now;
    return Atomics.compareExchange(this.#states, slot, granted, started) === granted;
  }

  /** Thread: the attempt succeeded and has no output. */
  finish(seq: number, tookUs: number): void {
    this.#tookUs[seq % ringSize] = tookUs;
    Atomics.store(this.#states, seq % ringSize, finished);
  }

  /** Worker: how long it took if it finished without a message, otherwise −1. */
  finishedUs(seq: number): number {
    if (Atomics.load(this.#states, seq % ringSize) !== finished) return -1;
    return this.#tookUs[seq % ringSize] ?? 0;
  }

  /** Worker: when it started, by its own clock. */
  startedAt(seq: number): number | undefined {
    if (Atomics.load(this.#states, seq % ringSize) !== started) return undefined;
    return (this.#startedAt[seq % ringSize] ?? 0) - performance.timeOrigin;
  }
}
