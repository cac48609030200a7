/**
 * Vacuums the order book while many jobs go through it. A claim reads a lane from its beginning, over the places of all jobs that
 * went since the last vacuum; autovacuum looks once a minute, and in a minute a worker claims millions.
 */

import { isLineshaftError } from '../domain/errors.ts';
import type { Log } from '../log.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';

/** It looks after so many claimed jobs, and vacuums where so many places are dead: claims cost a twentieth more by then. */
const lookAfterJobs = 50_000;
const deadLeast = 40_000;
/** While an old snapshot keeps what is dead it looks less and less often. */
const lookAfterMost = 3_200_000;

export class ReadyVacuum {
  private readonly session: Session;
  private readonly statements: Pick<BoundStatements, 'deadOfReady' | 'vacuumReady'>;
  private readonly log: Log;
  private sinceLook = 0;
  private lookAfter = lookAfterJobs;
  private looking: Promise<void> | undefined;
  private stopped = false;

  /** @param session on which others don't mind waiting */
  constructor(session: Session, statements: BoundStatements, log: Log) {
    this.session = session;
    this.statements = statements;
    this.log = log;
  }

  /** So many jobs were claimed. */
  claimed(jobs: number): void {
    this.sinceLook += jobs;
    if (this.sinceLook < this.lookAfter || this.looking !== undefined || this.stopped) return;
    this.sinceLook = 0;
    this.looking = this.look()
      .catch((error: unknown) => {
        // Of a database that is away others tell.
        if (!isLineshaftError(error, 'DATABASE_UNAVAILABLE') && !isLineshaftError(error, 'CLOSED'))
          this.log.warn(`the order book was not vacuumed: ${String(error)}`);
      })
      .finally(() => {
        this.looking = undefined;
      });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.looking;
  }

  private async look(): Promise<void> {
    const before = await this.dead();
    if (before < deadLeast) return;
    await this.session.query(this.statements.vacuumReady);
    const helped = (await this.dead()) < before / 2;
    this.lookAfter = helped ? lookAfterJobs : Math.min(2 * this.lookAfter, lookAfterMost);
  }

  private async dead(): Promise<number> {
    const [[dead = '0'] = []] = await this.session.query(this.statements.deadOfReady);
    return Number(dead);
  }
}
