/** Sees to it that a pool has its lanes: opens them, replaces lost ones with back-off, retires used ones. */

import type { ErrorRecord } from '../../domain/attempt.ts';
import { LineshaftError } from '../../domain/errors.ts';
import type { JobLog } from '../handler.ts';
import { stopGraceMs } from './bounds.ts';
import type { Lane } from './lane.ts';
import type { DownMessage } from './protocol.ts';
import type { Loss } from './transport.ts';

export interface LaneSupplyOptions {
  readonly size: number;
  readonly log: JobLog;
  readonly open: (memoryBytes: number | undefined, init: DownMessage) => Lane;
  /** Lanes end again and again before they have done anything. */
  readonly onHopeless: (reason: string) => void;
}

/** Failures in a row after which waiting attempts fail instead of waiting on. */
const hopelessAfter = 5;
const backoffFirstMs = 50;
const backoffLongestMs = 5_000;
/** A lane that has not loaded its handlers after this time is ended. */
const readyWithinMs = 30_000;
/** A retired lane that has nothing to do any more ends within this time, or is ended. */
const endWithinMs = 5_000;

export class LaneSupply {
  /** Lanes that may be given attempts, now or when they are ready. */
  readonly lanes: Lane[] = [];
  /** Lanes that finish what they have. */
  readonly #leaving = new Set<Lane>();
  readonly #options: LaneSupplyOptions;
  readonly #timers = new Map<Lane, NodeJS.Timeout>();
  #init: DownMessage = ['init', []];
  #memoryBytes: number | undefined;
  #failures = 0;
  #backoff: NodeJS.Timeout | undefined;
  #starting: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #stopped = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: LaneSupplyOptions) {
    this.#options = options;
  }

  /**
   * Opens all lanes; resolves when they are ready. @throws HANDLER_INVALID when a handler cannot be loaded
   */
  async start(init: DownMessage, memoryBytes: number | undefined): Promise<void> {
    this.#init = init;
    this.#memoryBytes = memoryBytes;
    await new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.#fill();
    });
  }

  /** All lanes that are there, also those that leave. */
  all(): Lane[] {
    return [...this.lanes, ...this.#leaving];
  }

  /**
   * An attempt needs a lane of this memory limit and no lane takes it: an idle lane of another limit makes
   * room.
   */
  want(memoryBytes: number | undefined): void {
    if (this.#stopped || this.lanes.some((lane) => lane.memoryBytes === memoryBytes && !lane.ready)) return;
    const idle = this.lanes.find((lane) => lane.ready && lane.idle && lane.memoryBytes !== memoryBytes);
    if (idle === undefined) {
      this.#fill();
      return;
    }
    this.#memoryBytes = memoryBytes;
    this.retire(idle);
  }

  /** Lets a lane finish what it has, and opens another in its place. */
  retire(lane: Lane): void {
    this.#leave(lane);
    lane.close();
    if (lane.idle) this.onDone(lane);
    this.#fill();
  }

  onReady(lane: Lane): void {
    this.#setTimer(lane, undefined);
    if (this.#starting !== undefined && this.lanes.every((each) => each.ready)) {
      this.#starting.resolve();
      this.#starting = undefined;
    }
  }

  onRefused(lane: Lane, error: ErrorRecord): void {
    this.#leave(lane);
    lane.kill();
    if (this.#starting === undefined) this.#onFailure(error.message);
    else this.#refuseStart(error.message);
  }

  /** A lane that leaves has nothing to do any more. */
  onDone(lane: Lane): void {
    if (!this.#timers.has(lane)) this.#setTimer(lane, endWithinMs);
  }

  /** An attempt has ended in a lane: lanes can work. */
  onSuccess(): void {
    this.#failures = 0;
  }

  /** @param worked whether it had run anything */
  onLost(lane: Lane, loss: Loss, worked: boolean): void {
    this.#setTimer(lane, undefined);
    const left = this.#leaving.delete(lane);
    const at = this.lanes.indexOf(lane);
    if (at !== -1) this.lanes.splice(at, 1);
    if (this.all().length === 0) this.#onEmpty?.();
    if (this.#stopped || left) return;
    if (!worked) {
      this.#onFailure(`${lane.label} ${loss.reason} before it had run anything`);
      return;
    }
    this.#options.log.warn(`${lane.label} ${loss.reason}; it is replaced`);
    this.#fill();
  }

  /** Lets all lanes end, and ends those that do not. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#backoff);
    this.#refuseStart('it was stopped before it was ready');
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const lane of this.all()) {
      if (lane.ready) lane.close();
      else if (!lane.closing) lane.kill();
    }
    const killTimer = setTimeout(() => {
      for (const lane of this.all()) lane.kill();
    }, stopGraceMs * 2);
    // A process that the system cannot end (it hangs in the kernel) must not hold the worker.
    const giveUpTimer = setTimeout(() => this.#onEmpty?.(), endWithinMs);
    if (this.all().length > 0) await empty;
    clearTimeout(killTimer);
    clearTimeout(giveUpTimer);
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #fill(): void {
    if (this.#stopped || this.#backoff !== undefined) return;
    while (this.lanes.length < this.#options.size) {
      try {
        const lane = this.#options.open(this.#memoryBytes, this.#init);
        this.lanes.push(lane);
        this.#setTimer(lane, readyWithinMs);
      } catch (error) {
        this.#onFailure(`it could not be made: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
    }
  }

  #onFailure(reason: string): void {
    this.#failures += 1;
    const delayMs = Math.min(backoffFirstMs * 2 ** (this.#failures - 1), backoffLongestMs);
    this.#options.log.warn(`${reason}; the next try is in ${delayMs} ms`);
    if (this.#failures >= hopelessAfter && !this.lanes.some((lane) => lane.ready)) {
      const hopeless = `${reason}, ${this.#failures} times in a row`;
      this.#refuseStart(hopeless);
      this.#options.onHopeless(hopeless);
    }
    this.#backoff ??= setTimeout(() => {
      this.#backoff = undefined;
      this.#fill();
    }, delayMs);
  }

  #refuseStart(reason: string): void {
    this.#starting?.reject(
      new LineshaftError('HANDLER_INVALID', { message: `the executor could not start: ${reason}` }),
    );
    this.#starting = undefined;
  }

  #leave(lane: Lane): void {
    const at = this.lanes.indexOf(lane);
    if (at !== -1) this.lanes.splice(at, 1);
    this.#leaving.add(lane);
    this.#setTimer(lane, undefined);
  }

  #setTimer(lane: Lane, killAfterMs: number | undefined): void {
    clearTimeout(this.#timers.get(lane));
    this.#timers.delete(lane);
    if (killAfterMs === undefined) return;
    const timer = setTimeout(() => lane.kill(), killAfterMs);
    timer.unref();
    this.#timers.set(lane, timer);
  }
}
