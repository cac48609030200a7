/** The connections of a worker: a claim never waits behind a flush, and neither behind house-keeping. */

import { type Route, Session } from '../store/session.ts';

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

  async close(): Promise<void> {
    await Promise.all(
      [this.claim, this.complete, this.service, this.keeper, this.scheduler].map((session) =>
        session.close(),
      ),
    );
  }
}
