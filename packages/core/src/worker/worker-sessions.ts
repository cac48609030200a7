/** The connections of a worker: a claim never waits behind a flush, and neither behind house-keeping. */

import { textArray } from '../queue/enqueue-batch.ts';
import { type Route, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { WorkerParts } from './worker-parts.ts';

/** No answer for less than this says nothing, however short the lease is. */
const silenceMinMs = 1_000;

export class WorkerSessions {
  /** Claims and heartbeats. One that is cut without a word must not keep the heartbeat from being heard. */
  readonly claim: Session;
  readonly complete: Session;
  /** Services whose statements are short. */
  readonly service: Session;
  /** The keeper, which may have to wait for locks. */
  readonly keeper: Session;
  /** The scheduler, which writes large batches; connects when its worker leads. */
  readonly scheduler: Session;

  constructor(route: Route, leaseMs: number) {
    this.claim = new Session(route, 'hot', Math.max(leaseMs / 3, silenceMinMs));
    this.complete = new Session(route, 'hot');
    this.service = new Session(route, 'hot');
    this.keeper = new Session(route, 'plain');
    this.scheduler = new Session(route, 'hot');
  }

  /** Leaves nothing behind: also what it claimed without hearing of it goes back. Failing that, its lease runs out. */
  async unregister(statements: BoundStatements, row: string): Promise<void> {
    const { returnLeases, unregisterWorker } = statements;
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      try {
        await this.service.query(returnLeases, [row, null]);
        await this.service.query(unregisterWorker, [row]);
        return;
      } catch {
        // The connection was lost; the second attempt makes a new one.
      }
    }
  }

  /** Jobs that wait because another build could not upgrade their payload may go with this one. */
  async releaseUpgrades({ statements, kinds, build }: WorkerParts): Promise<void> {
    const values = [textArray([...kinds.keys()]), build];
    const [[ids = null] = []] = await this.service.query(statements.releaseUpgrades, values);
    if (ids !== null) await this.service.query(statements.retryJobs, [ids]);
  }

  async close(): Promise<void> {
    await Promise.all(
      [this.claim, this.complete, this.service, this.keeper, this.scheduler].map((session) =>
        session.close(),
      ),
    );
  }
}
