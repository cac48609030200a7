/** The services that every worker runs: each is safe to run everywhere, or acts only while its worker leads. */

import type { Clock } from '../domain/clock.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { createKeeper } from './keeper.ts';
import { createLeadership, type Leadership } from './leader.ts';
import { createPromoter, type Promoter } from './promoter.ts';
import { createRescuer, type Rescue } from './rescuer.ts';
import type { LoopOptions, Service } from './service.ts';

export interface ServicesContext extends Pick<LoopOptions, 'onError' | 'onRecovered'> {
  readonly clock: Clock;
  readonly session: Session;
  /** For statements that may take long. */
  readonly keeperSession: Session;
  readonly statements: BoundStatements;
  readonly schema: string;
  readonly leaseMs: number;
  readonly maxRescues: number;
  readonly workerRow: () => string;
  readonly onElected: () => void;
  readonly onRescue: (rescue: Rescue) => void;
}

export function createServices(context: ServicesContext): {
  promoter: Promoter;
  leadership: Leadership;
  services: readonly Service[];
} {
  const promoter = createPromoter(context);
  const leadership = createLeadership(context);
  const keeper = createKeeper({ ...context, session: context.keeperSession, leadership });
  return { promoter, leadership, services: [promoter, createRescuer(context), leadership, keeper] };
}
