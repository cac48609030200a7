/** Where the claim loop finds jobs to try, of kinds whose circuit breaker is half-open. */

import { type Amounts, timesFitting } from '../domain/amounts.ts';
import type { Circuits } from './circuits.ts';
import type { LaneDirectory } from './lanes.ts';
import type { QueueRuntime } from './queue-runtime.ts';

/** A lane with jobs of such a kind. */
export interface ProbeLane {
  readonly lane: number;
  readonly kind: string;
  readonly queueId: number;
  /** What each of its jobs needs, by lane; empty where it needs nothing. */
  readonly needs: ReadonlyMap<number, Amounts>;
}

export class Probes {
  private readonly host: {
    readonly directory: LaneDirectory;
    readonly circuits: Circuits;
    runtime(queueId: number): QueueRuntime | undefined;
    held(): number;
    slots(): number;
  };

  constructor(host: Probes['host']) {
    this.host = host;
  }

  lanes(): readonly ProbeLane[] {
    const { circuits, directory } = this.host;
    const kinds = circuits.probing();
    if (kinds.length === 0) return kinds as never[];
    return kinds.flatMap((kind) =>
      directory.heldLanes(kind).map((lane) => {
        const needs = directory.needsOf(lane);
        const any = Object.keys(needs).length > 0;
        return { lane: lane.id, kind, queueId: lane.queueId, needs: new Map(any ? [[lane.id, needs]] : []) };
      }),
    );
  }

  /** How many jobs of a lane this worker may take on. */
  room(laneId: number, free: Amounts): number {
    const { directory } = this.host;
    const lane = directory.lane(laneId);
    const runtime = lane === undefined ? undefined : this.host.runtime(lane.queueId);
    if (lane === undefined || runtime === undefined || runtime.queue.state === 'paused') return 0;
    const slots = Math.min(runtime.queue.concurrency - runtime.held, this.host.slots() - this.host.held());
    return Math.min(slots, timesFitting(directory.needsOf(lane), free));
  }
}
