/** What decisions are given besides the run: the time of the database, ids, chance, and what is known of tasks and domains. */

import type { Clock } from '../domain/clock.ts';
import type { DecideContext, DecideLimits } from '../domain/workflow/decision.ts';
import type { TaskDefinition } from '../domain/workflow/definition.ts';
import type { RunStore } from './run-store.ts';

export type DomainOf = DecideContext['domainOf'];

export interface ContextParts {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly random: () => number;
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: DecideLimits;
  readonly domainOf: DomainOf;
  readonly taskOf: (name: string) => TaskDefinition | undefined;
}

/** As Conductor: 10,240 KB. */
const tenMiB = 10_485_760;

export const defaultDecideLimits: DecideLimits = {
  variablesMaxBytes: 256 * 1024,
  documents: { runInput: tenMiB, runOutput: tenMiB, stepInput: tenMiB, stepOutput: tenMiB },
  stepsMax: 1_000_000,
  changesMax: 5_000,
};

/** The clock of this process is compared with that of the database as often as this. */
const clockMs = 30_000;

export class Contexts {
  private readonly parts: ContextParts;
  private offsetMs = 0;
  private askAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: ContextParts) {
    this.parts = parts;
  }

  /** One for all decisions of this moment. */
  async next(): Promise<DecideContext> {
    const { clock, newId, random, environment, limits, domainOf, taskOf } = this.parts;
    if (clock.monotonic() >= this.askAtMs) await this.compareClocks();
    return { now: this.now(), newId, random, environment, limits, domainOf, taskOf };
  }

  /** The time of the database, ms since 1970, as this process knew it last. */
  now(): number {
    return Math.round(this.parts.clock.now() + this.offsetMs);
  }

  private async compareClocks(): Promise<void> {
    const { clock, store } = this.parts;
    const askedMs = clock.now();
    const databaseMs = await store.clockMs();
    this.offsetMs = databaseMs - (askedMs + clock.now()) / 2;
    this.askAtMs = clock.monotonic() + clockMs;
  }
}
