/**
 * The workers and callers of a run. A place ("worker 2") is always manned: a process that is killed is followed by
 * another one under a new name, as a supervisor would do it.
 */
import { join } from 'node:path';
import { within } from '../monotonic.ts';
import type { CallerSettings, Progress, WorkerSettings } from '../processes/settings.ts';
import type { Border } from '../workflows/borders.ts';
import { Child, labProgram } from './child.ts';

/** One place: its process of now. */
export class Place {
  readonly name: string;
  current: Child;
  private readonly start: (name: string) => Child;
  private incarnation = 1;
  private closed = false;

  /** @param comesBack whether another process follows one that ended by itself in this way, as a supervisor would have it */
  constructor(
    name: string,
    start: (name: string) => Child,
    comesBack: (how: string) => boolean = () => false,
  ) {
    this.name = name;
    this.start = (incarnation) => {
      const child = start(incarnation);
      child.ended.then(
        (how) => {
          if (comesBack(how)) this.follow(child);
        },
        () => {},
      );
      return child;
    };
    this.current = this.start(`${name}.1`);
  }

  /** Kills its process by SIGKILL, and starts the next one. Returns the name of the one that was killed. */
  async kill(): Promise<string> {
    const killed = this.current;
    await killed.kill();
    this.follow(killed);
    return killed.name;
  }

  /**
   * Has its process die at a border that it comes to, and starts the next one. Returns the name of the one that died;
   * undefined: it did not come there in time.
   */
  async dieAt(at: Border, timeoutMs: number): Promise<string | undefined> {
    const child = this.current;
    child.doomed = true;
    child.tell({ command: 'border', at, act: 'die' });
    const died = child.ended.then(() => this.follow(child));
    // It may also have been killed by somebody else meanwhile.
    if (
      await within(
        timeoutMs,
        died.then(() => true),
      )
    )
      return child.expected ? undefined : child.name;
    child.tell({ command: 'border', act: 'die' });
    return undefined;
  }

  private follow(ended: Child): void {
    if (this.closed || this.current !== ended) return;
    this.incarnation += 1;
    this.current = this.start(`${this.name}.${this.incarnation}`);
  }

  /** Waits for the end of its process, which nobody follows; false, and SIGKILL, where it takes too long. */
  async finish(timeoutMs: number): Promise<boolean> {
    this.closed = true;
    this.current.expected = true;
    const inTime = await within(timeoutMs, this.current.ended);
    if (inTime === undefined) await this.current.kill();
    return inTime !== undefined;
  }

  /** Ends its process by a signal for good; by SIGKILL where it takes too long. */
  async close(signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
    this.closed = true;
    this.current.expected = true;
    this.current.signal(signal);
    const inTime = await within(timeoutMs, this.current.ended);
    if (inTime === undefined) await this.current.kill();
  }
}

export interface CrewSettings {
  readonly folder: string;
  readonly seed: number;
  readonly queue: string;
  readonly leaseMs: number;
  readonly workers: number;
  readonly callers: number;
  /** Of all callers together. */
  readonly perSecond: number;
  /** The address that a place uses. */
  urlOf(place: string): string;
}

export class Crew {
  readonly workers: readonly Place[];
  readonly callers: readonly Place[];
  /** A worker whose writes are not fenced, if one was planted. */
  planted: Place | undefined;
  /** Processes that ended by themselves. */
  readonly crashes: string[] = [];
  private readonly settings: CrewSettings;
  private readonly progress = new Map<string, Progress>();
  private workersReady = 0;

  constructor(settings: CrewSettings) {
    this.settings = settings;
    const places = (prefix: string, count: number, start: (place: string, name: string) => Child): Place[] =>
      Array.from({ length: count }, (_, n) => {
        const place = `${prefix}${n + 1}`;
        return new Place(place, (name) => start(place, name));
      });
    this.workers = places('worker', settings.workers, (place, name) => this.startWorker(place, name, false));
    this.callers = places('caller', settings.callers, (place, name) => this.startCaller(place, name));
  }

  plantUnfenced(): Place {
    this.planted ??= new Place('planted', (name) => this.startWorker('planted', name, true));
    return this.planted;
  }

  get acked(): number {
    return [...this.progress.values()].reduce((sum, { acked }) => sum + acked, 0);
  }

  /** Workers have started, and calls are answered. */
  get ready(): boolean {
    return this.workersReady >= this.allWorkers().length && this.progress.size > 0 && this.acked > 0;
  }

  /** Callers begin no more calls, and end when each of their calls is settled. */
  async finishCalls(timeoutMs: number): Promise<void> {
    await Promise.all(
      this.callers.map(async (caller) => {
        caller.current.expected = true;
        caller.current.tell({ command: 'finish' });
        const inTime = await within(timeoutMs, caller.current.ended);
        if (inTime !== undefined) return;
        this.crashes.push(
          `${caller.current.name} still waited for answers ${timeoutMs / 1_000} s after the faults`,
        );
        await caller.current.kill();
      }),
    );
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(this.allWorkers().map((worker) => worker.close('SIGTERM', 20_000)));
  }

  async kill(): Promise<void> {
    await Promise.all([...this.allWorkers(), ...this.callers].map((place) => place.close('SIGKILL', 5_000)));
  }

  private allWorkers(): Place[] {
    return [...this.workers, ...(this.planted === undefined ? [] : [this.planted])];
  }

  private startWorker(place: string, name: string, unfenced: boolean): Child {
    const { folder, queue, leaseMs, urlOf } = this.settings;
    const settings: WorkerSettings = {
      databaseUrl: urlOf(place),
      name,
      ledger: join(folder, `${name}.ledger`),
      queue,
      leaseMs,
      unfenced,
    };
    const child = this.watch(new Child(labProgram('worker.ts', settings), join(folder, `${place}.log`)));
    child.onMessage(() => {
      this.workersReady += 1;
    });
    return child;
  }

  private startCaller(place: string, name: string): Child {
    const { folder, queue, seed, perSecond, callers, urlOf } = this.settings;
    const settings: CallerSettings = {
      databaseUrl: urlOf(place),
      name,
      ledger: join(folder, `${name}.ledger`),
      seed,
      queue,
      perSecond: perSecond / callers,
    };
    const child = this.watch(new Child(labProgram('caller.ts', settings), join(folder, `${place}.log`)));
    child.onMessage((message) => this.progress.set(name, message as Progress));
    return child;
  }

  private watch(child: Child): Child {
    child.ended.then(
      (how) => {
        if (!child.expected) this.crashes.push(`${child.name} ended by itself: ${how}`);
      },
      () => {},
    );
    return child;
  }
}
