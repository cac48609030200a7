/** The queues that a worker serves, and circuit breakers, as they are now: read at the start and again whenever they have changed. */

import { limitsAtWork } from '../domain/limit.ts';
import { type Queue, queueFromRow } from '../domain/queue.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Circuits } from './circuits.ts';
import type { LaneDirectory } from './lanes.ts';
import { QueueRuntime } from './queue-runtime.ts';

export interface QueueSettingsHost {
  readonly pool: Pool;
  readonly statements: BoundStatements;
  readonly directory: LaneDirectory;
  readonly circuits: Circuits;
  /** Gives back what waits in memory of a queue that was paused or is not served any more. */
  giveBack(runtime: QueueRuntime): void;
  /** The settings were read: there may be other queues to ask. */
  onRead(): void;
  /** They were read because they had changed. */
  onChanged(): void;
  onError(error: unknown): void;
}

export class QueueSettings {
  readonly runtimes = new Map<number, QueueRuntime>();
  private readonly host: QueueSettingsHost;
  private fingerprint = '';
  /** What was read last, to know whether the next is news. */
  private seenRows = '';

  constructor(host: QueueSettingsHost) {
    this.host = host;
  }

  /** Whether it is other than what was read before. */
  async load(): Promise<boolean> {
    const { pool, statements, directory } = this.host;
    directory.limits = limitsAtWork(await pool.query(statements.listLimits));
    const rows = await pool.query(statements.listQueues);
    directory.setQueues(rows.map((row) => queueFromRow(row)));
    for (const queue of directory.servedQueues()) this.apply(queue);
    for (const [id, runtime] of this.runtimes) {
      // The runtime stays: a claim may be under way, and its jobs must find a place.
      if (directory.queue(id) === undefined) this.host.giveBack(runtime);
    }
    await this.host.circuits.load();
    this.host.onRead();
    const text = JSON.stringify(rows);
    const changed = text !== this.seenRows;
    this.seenRows = text;
    return changed;
  }

  reload(quietly = false): void {
    this.load().then(
      (changed) => {
        if (changed || !quietly) this.host.onChanged();
      },
      (error: unknown) => {
        // The next heartbeat tries again.
        this.fingerprint = 'unread';
        this.host.onError(error);
      },
    );
  }

  /** A sum over the settings of all queues; another than before means that they have changed. */
  seen(fingerprint: string): void {
    if (fingerprint === this.fingerprint) return;
    const first = this.fingerprint === '';
    this.fingerprint = fingerprint;
    // What changed between the start and the first heartbeat was perhaps told before anybody listened.
    this.reload(first);
  }

  /** Jobs of a queue that was paused or left while they were on their way from the database go back. */
  arrived(runtimes: Iterable<QueueRuntime>): void {
    for (const runtime of runtimes) {
      const served = this.host.directory.queue(runtime.queue.id);
      if (served === undefined || served.state === 'paused') this.host.giveBack(runtime);
    }
  }

  private apply(queue: Queue): void {
    const runtime = this.runtimes.get(queue.id);
    if (runtime === undefined) {
      this.runtimes.set(queue.id, new QueueRuntime(queue));
      return;
    }
    runtime.queue = queue;
    if (queue.state === 'paused') this.host.giveBack(runtime);
  }
}
