/** Runs that this process has at hand: those used last, bounded by steps and by bytes. What is not here is read again. */

import type { RunState } from '../domain/workflow/state.ts';

export interface CacheBounds {
  /** Of all runs together. Default 200,000. */
  readonly stepsMax: number;
  /** Of their documents as JSON, roughly. Default 128 MiB. */
  readonly bytesMax: number;
}

interface Entry {
  state: RunState;
  bytes: number;
  /** Steps that are counted for it. */
  steps: number;
}

export const defaultCacheBounds: CacheBounds = { stepsMax: 200_000, bytesMax: 128 * 1024 * 1024 };

export class RunCache {
  private readonly bounds: CacheBounds;
  /** Those used last at the end, once it is half full. */
  private readonly entries = new Map<string, Entry>();
  private steps = 0;
  private bytes = 0;

  constructor(bounds: CacheBounds = defaultCacheBounds) {
    this.bounds = bounds;
  }

  get size(): number {
    return this.entries.size;
  }

  get(runId: string): RunState | undefined {
    const entry = this.entries.get(runId);
    if (entry === undefined) return undefined;
    this.use(runId, entry);
    return entry.state;
  }

  /** Keeps a run, or counts anew one that is kept. @param bytes that its documents have grown by */
  put(state: RunState, bytes: number): void {
    const { id } = state.run;
    const { size } = state.steps;
    const known = this.entries.get(id);
    if (known === undefined) this.entries.set(id, { state, bytes, steps: size });
    else {
      known.state = state;
      known.bytes += bytes;
      this.steps -= known.steps;
      known.steps = size;
    }
    this.steps += size;
    this.bytes += bytes;
    if (known !== undefined) this.use(id, known);
    if (!this.isFull) return;
    for (const oldest of this.entries.keys()) {
      // One that is larger than all bounds is kept as long as it is the one that is used.
      if (oldest === id || !this.isFull) break;
      this.drop(oldest);
    }
  }

  /** It goes to the end. Who was used when matters only where some will have to go. */
  private use(runId: string, entry: Entry): void {
    if (this.steps * 2 < this.bounds.stepsMax && this.bytes * 2 < this.bounds.bytesMax) return;
    this.entries.delete(runId);
    this.entries.set(runId, entry);
  }

  private get isFull(): boolean {
    return this.steps > this.bounds.stepsMax || this.bytes > this.bounds.bytesMax;
  }

  drop(runId: string): void {
    const entry = this.entries.get(runId);
    if (entry === undefined) return;
    this.entries.delete(runId);
    this.steps -= entry.steps;
    this.bytes -= entry.bytes;
  }
}
