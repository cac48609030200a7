/**
 * Gives back the jobs of workers whose lease has run out. Nobody's lease is taken for run out before one full lease of
 * its own has passed since the database came up (the statement sees to it) and since our own connection did, the first
 * one too: after an outage, of whatever lay in between, every worker has the time to say that it lives.
 */

import { definePlugin, type ServiceContext } from '../plugin.ts';
import type { Service } from './service.ts';

export interface Rescue {
  readonly workerId: string;
  readonly returned: number;
  readonly buried: number;
}

/** The built-in service that rescues the jobs of workers that died. */
export const rescuer = definePlugin({ name: 'rescuer', service: createRescuer });

function createRescuer(context: ServiceContext): Service {
  const { clock, log } = context;
  const { leaseMs, maxRescues } = context.worker;
  const { session, statements } = context.internals;
  let connections = 0;
  let connectedAtMs = 0;
  const loop = context.loop({
    async round() {
      const before = clock.monotonic();
      const next = await nextExpiry();
      if (session.connections !== connections) {
        connections = session.connections;
        connectedAtMs = before;
      }
      const heardMs = Math.floor(clock.monotonic() - connectedAtMs);
      if (next.workerMs <= 0) {
        const expired = await session.query(statements.expiredWorkers, [heardMs]);
        // Lost meanwhile: what was read is from before an outage or after it, and nobody knows.
        if (session.connections !== connections) return 0;
        for (const [id, workerId] of expired) await rescue(id ?? '0', workerId ?? '');
      }
      if (next.jobMs <= 0) await rescueJobs(heardMs);
      const { workerMs, jobMs } = next.workerMs <= 0 || next.jobMs <= 0 ? await nextExpiry() : next;
      const sleepMs = Math.min(workerMs, jobMs) + 20;
      // One that has run out already waits for its time to be heard, or for somebody else who rescues it.
      return Math.min(sleepMs > 0 ? Math.max(sleepMs, 50) : 250, leaseMs);
    },
  });
  // A job has taken a lease of its own, which may end before we meant to look again.
  context.onMessage('lease', () => loop.wake());
  // The same, said by a server of which workers poll.
  context.onMessage('t', () => loop.wake());
  return loop;

  async function nextExpiry(): Promise<{ workerMs: number; jobMs: number }> {
    const [[worker = null, job = null] = []] = await session.query(statements.nextExpiry);
    return {
      workerMs: worker === null ? Number.POSITIVE_INFINITY : Number(worker),
      jobMs: job === null ? Number.POSITIVE_INFINITY : Number(job),
    };
  }

  async function rescueJobs(heardMs: number): Promise<void> {
    for (const row of await session.query(statements.rescueJobs, [maxRescues, heardMs])) {
      const [jobId, , workerId] = row;
      const final = row[3] === 't';
      const next = final ? 'it is a dead letter now' : 'it was given back';
      log.warn(`a job was not heard of within its lease: ${next}`, { job: jobId, worker: workerId });
      context.tell('lapsed', { jobId: jobId ?? '', workerId: workerId ?? '', final });
    }
  }

  async function rescue(row: string, workerId: string): Promise<void> {
    const [[returned = '0', buried = '0'] = []] = await session.query(statements.rescue, [row, maxRescues]);
    const done: Rescue = { workerId, returned: Number(returned), buried: Number(buried) };
    if (done.returned + done.buried === 0) return;
    log.warn(`worker ${workerId} died: ${done.returned} jobs went back, ${done.buried} are dead letters`);
    context.tell('rescued', done);
  }
}
