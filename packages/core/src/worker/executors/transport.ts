/** What a lane needs of the thread or process behind it. */

/** Why a thread or process ended. */
export interface Loss {
  /** `ended with exit code 1`, `was killed by SIGKILL`. */
  readonly reason: string;
  /** It ended because it had no memory left. */
  readonly outOfMemory: boolean;
}

export interface TransportEvents {
  onMessages(messages: readonly unknown[]): void;
  /** The child has something to see in `finishedUs`. */
  onFinished(): void;
  /** What it wrote to standard output or error. */
  onLine(stream: 'stdout' | 'stderr', line: string): void;
  /** It has ended, all that it said has been handed over. Once, and nothing comes after. */
  onExit(loss: Loss): void;
}

export interface Transport {
  /** How it is called in the log: `thread 3`, `process 4711`. */
  readonly label: string;
  send(text: string): void;
  /** Lets the child start the attempts `firstSeq`, `firstSeq + 1`, …: before the text with them is sent. */
  grant(firstSeq: number, count: number): void;
  /** Takes the turns of not started attempts back: of the `count` from `firstSeq`, the last n; returns n. */
  takeBack(firstSeq: number, count: number): number;
  /** Looks what has finished, for `finishedUs`. */
  refreshFinished(): void;
  /** Microseconds that an attempt took which succeeded without a message; −1 if it did not, or not yet. */
  finishedUs(seq: number): number;
  /** When it started, of `performance.now()`; undefined: not known. */
  startedAt(seq: number): number | undefined;
  /** Looks at the memory used by the attempt that runs; calls back when it is more than the limit. */
  checkMemory(limitBytes: number, onExceeded: () => void): void;
  /** Bytes that it holds beyond what it needed when it was new; 0 where that is no concern. */
  heldBytes(): number;
  /** Ends it at once, with everything that it started. */
  kill(): void;
}
