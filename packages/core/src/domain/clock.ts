/** Time as an argument: what needs it takes a Clock, so that tests decide what time it is. */

export interface Clock {
  /** Milliseconds since 1970, for people to read; it may jump. */
  now(): number;
  /** Milliseconds since some start, for durations; it never goes back. */
  monotonic(): number;
  /** Calls back once after a time; returns what takes it back. The timer keeps no process alive if `unref`. */
  after(ms: number, callback: () => void, unref?: boolean): () => void;
}
