/** What a lab is: a place with faults in it. */
import { monotonicMs } from './monotonic.ts';
import type { Random } from './random.ts';
import type { Outcome, RunOptions } from './run.ts';
import type { Crew, Place } from './site/crew.ts';
import type { FaultKind, FaultRecord } from './verdict/evidence.ts';

export interface Lab<Opened extends Stand = Stand> {
  readonly name: string;
  /** One line for `list`. */
  readonly about: string;
  /** Debian packages that it needs besides those of the tests, with the program by which one knows that it is there. */
  readonly packages?: readonly { readonly name: string; readonly program: string }[];
  /** Why it cannot run here; undefined where it can. */
  whyNot?(): string | undefined;
  /** Starts the database and the ways to it. What it starts is disposed of with the stack. */
  open(stack: AsyncDisposableStack, seed: number, places: readonly string[]): Promise<Opened>;
  /** All faults of a run, known before it begins; `stand` is what `open` has made. */
  plan(random: Random, seconds: number, stand: Opened): Step[];
  /** In place of jobs with faults as planned: what is done in this lab, with all that belongs to it. */
  run?(
    options: RunOptions,
    folder: string,
    stack: AsyncDisposableStack,
    say: (line: string) => void,
  ): Promise<Outcome>;
}

/** A database and the ways to it. */
export interface Stand {
  /** Where the lab itself looks into the database. */
  readonly url: string;
  /** The address that a process uses, by its place. */
  urlOf(place: string): string;
  /** For people: what the database is. */
  readonly about: string;
}

export interface Step {
  /** Milliseconds after the begin of the phase with faults. */
  readonly atMs: number;
  act(scene: Scene): Promise<void>;
}

/** What a fault can act on, and where it is written down. */
export class Scene {
  readonly crew: Crew;
  readonly faults: FaultRecord[] = [];
  /** Faults made so far. */
  count = 0;
  private readonly say: (line: string) => void;

  constructor(crew: Crew, say: (line: string) => void) {
    this.crew = crew;
    this.say = say;
  }

  /** @param share from 0 up to 1: which of the workers */
  worker(share: number): Place {
    return placeAt(this.crew.workers, share);
  }

  caller(share: number): Place {
    return placeAt(this.crew.callers, share);
  }

  /** Counts a fault and tells people. */
  begins(what: string): void {
    this.count += 1;
    this.say(what);
  }

  /** Writes down what lasts from now until `work` has ended. */
  async during(kind: FaultKind, target: string | undefined, work: () => Promise<void>): Promise<void> {
    const fromMs = monotonicMs();
    const place = this.faults.push({ kind, fromMs, untilMs: Infinity, ...of(target) }) - 1;
    await work();
    this.faults[place] = { kind, fromMs, untilMs: monotonicMs(), ...of(target) };
  }

  /** Writes down what cannot be undone. */
  happened(kind: FaultKind, target: string | undefined): void {
    this.faults.push({ kind, fromMs: monotonicMs(), untilMs: Infinity, ...of(target) });
  }
}

function placeAt(places: readonly Place[], share: number): Place {
  const place = places[Math.floor(share * places.length)];
  if (place === undefined) throw new RangeError('there is nobody');
  return place;
}

function of(target: string | undefined): { target?: string } {
  return target === undefined ? {} : { target };
}

/**
 * Times of faults: the first after `firstMs`, then each so long after the one before, until the phase ends.
 * @param gapMs shortest and longest
 */
export function times(
  random: Random,
  seconds: number,
  firstMs: number,
  gapMs: readonly [number, number],
): number[] {
  const found: number[] = [];
  for (let atMs = firstMs; atMs < seconds * 1_000; atMs += random.whole(...gapMs)) found.push(atMs);
  return found;
}
