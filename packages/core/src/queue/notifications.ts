/**
 * What the database says on the channel of the installation, for all who listen in this process: one connection
 * that comes back by itself. Behind a pooler there is none; everybody then lives by polling.
 *
 * Messages: `r1,2` queues 1 and 2 have ready jobs; `a…` the same, from a transaction of somebody else, so look
 * twice; `u1` jobs under limits of queue 1 may go on; `l` something is to come due; `q` settings of queues changed;
 * `c<id>` a running job was cancelled; `d<ids>` jobs finished; `s` a schedule has changed; `e` the leader has resigned;
 * `n` there is a new lane; `k` an API key was made or revoked; `t` a step was polled whose worker must be heard of by
 * some time; `m` there is a mark that whoever left it does not decide on; `w<ids>` runs have changed.
 */

import type { Clock } from '../domain/clock.ts';
import { Loop } from '../services/service.ts';
import { type Route, Session } from '../store/session.ts';

export interface NotificationListener {
  onMessage(type: string, body: string): void;
  /** The connection is there (again): messages may have been missed before. */
  onConnected(): void;
  /** Whether it sends nothing now: while all do, a silent connection is not asked either. */
  resting?(): boolean;
}

/** How often a silent connection is asked whether it still lives. */
const probeMs = 15_000;

export class Notifications {
  private readonly route: Route;
  private readonly channel: string;
  private readonly listeners = new Set<NotificationListener>();
  private readonly loop: Loop;
  private session: Session | undefined;
  /** Whether messages can arrive at this moment. */
  connected = false;

  constructor(options: { route: Route; channel: string; clock: Clock }) {
    this.route = options.route;
    this.channel = options.channel;
    this.loop = new Loop({
      name: 'notifications',
      clock: options.clock,
      round: () => this.round(),
      // Those who listen poll meanwhile; the workers report that the database is away.
      onError: () => {},
    });
  }

  add(listener: NotificationListener): () => void {
    this.listeners.add(listener);
    this.loop.start();
    if (this.connected) listener.onConnected();
    return () => this.listeners.delete(listener);
  }

  async close(): Promise<void> {
    await this.loop.stop();
    await this.session?.close();
    this.connected = false;
  }

  private async round(): Promise<number> {
    if (this.session === undefined) {
      const session = new Session(this.route, 'plain');
      try {
        await session.query({ name: '', text: 'select 1' });
        if (this.route.pooled) {
          await session.close();
          return probeMs * 4;
        }
        await session.listen(
          this.channel,
          (payload) => this.tell(payload),
          () => this.lost(session),
        );
      } catch (error) {
        await session.close();
        throw error;
      }
      this.session = session;
      this.connected = true;
      for (const listener of this.listeners) listener.onConnected();
      return probeMs;
    }
    if (this.listeners.size > 0 && [...this.listeners].every((each) => each.resting?.() === true))
      return probeMs;
    // The answer to a probe tells a half-open connection from a silent one.
    const { session } = this;
    const connections = session.connections;
    await session.query({ name: '', text: 'select 1' });
    if (session.connections !== connections) this.lost(session);
    return this.session === undefined ? 0 : probeMs;
  }

  private lost(session: Session): void {
    if (this.session !== session) return;
    this.session = undefined;
    this.connected = false;
    session.close().catch(() => {});
    this.loop.wake();
  }

  private tell(payload: string): void {
    const type = payload.slice(0, 1);
    const body = payload.slice(1);
    for (const listener of this.listeners) listener.onMessage(type, body);
  }
}
