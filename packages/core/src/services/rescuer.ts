/**
 * Gives back the jobs of workers whose lease has run out. Nobody's lease is taken for run out before one full
 * lease has passed since the database came up (the statement sees to it) or since our own connection did: after
 * an outage every worker has the time to say that it lives.
 */

import type { Clock } from '../domain/clock.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { Loop, type LoopOptions, type Service } from './service.ts';

export interface Rescue {
  readonly workerId: string;
  readonly returned: number;
  readonly buried: number;
}

export function createRescuer(
  context: Pick<LoopOptions, 'onError' | 'onRecovered'> & {
    clock: Clock;
    session: Session;
    statements: BoundStatements;
    leaseMs: number;
    maxRescues: number;
    onRescue: (rescue: Rescue) => void;
  },
): Service {
  const { session, statements, leaseMs, maxRescues } = context;
  let connections = 0;
  let trustedFromMs = 0;
  return new Loop({
    ...context,
    name: 'rescuer',
    async round() {
      const expired = await session.query(statements.expiredWorkers);
      if (session.connections !== connections) {
        // A first connection may trust what it reads; a second one means that there was an outage.
        trustedFromMs = connections === 0 ? 0 : context.clock.monotonic() + leaseMs;
        connections = session.connections;
      }
      const untrustedMs = trustedFromMs - context.clock.monotonic();
      if (untrustedMs > 0) return Math.min(untrustedMs + 10, leaseMs);
      for (const [id, workerId] of expired) {
        const [[returned = '0', buried = '0'] = []] = await session.query(statements.rescue, [
          id,
          maxRescues,
        ]);
        const rescue = { workerId: workerId ?? '', returned: Number(returned), buried: Number(buried) };
        if (rescue.returned + rescue.buried > 0) context.onRescue(rescue);
      }
      const [[waitMs = null] = []] = await session.query(statements.nextExpiry);
      const sleepMs = waitMs === null ? leaseMs : Number(waitMs) + 20;
      return Math.min(Math.max(sleepMs, 50), leaseMs / 3);
    },
  });
}
