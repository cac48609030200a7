/** The row of a worker in the database: how it becomes known, and by how much the two clocks differ. */

import type { Clock } from '../domain/clock.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { CheckedWorkerOptions } from './worker-options.ts';
import type { WorkerParts } from './worker-parts.ts';

export interface RegistrationHost {
  readonly parts: Pick<WorkerParts, 'build' | 'clock' | 'kinds' | 'statements'>;
  readonly session: Session;
  readonly options: CheckedWorkerOptions;
  readonly id: string;
  readonly tags: readonly string[];
  servedSlugs(): string[];
}

/** No worker has this row. `0` is that of all workers that poll. */
const none = '-1';

export class Registration {
  /** That of nobody before it is registered; it changes when the worker had to register anew. */
  row = none;
  /** By how much the clock of the database is ahead of ours. */
  clockOffsetMs = 0;
  private readonly host: RegistrationHost;
  private readonly clock: Clock;
  private readonly statements: BoundStatements;

  constructor(host: RegistrationHost) {
    this.host = host;
    this.clock = host.parts.clock;
    this.statements = host.parts.statements;
  }

  async register(): Promise<void> {
    const { id, options, parts, session, tags } = this.host;
    const askedMs = this.clock.now();
    const [[row = null, clock = null] = []] = await session.query(this.statements.registerWorker, [
      id,
      options.name ?? id,
      parts.build,
      textArray(tags),
      textArray([...parts.kinds.keys()]),
      textArray(this.host.servedSlugs()),
      options.slots,
      options.leaseMs,
      JSON.stringify(options.offers),
    ]);
    this.row = row ?? none;
    this.clockOffsetMs = Number(clock) - (askedMs + this.clock.now()) / 2;
  }
}
