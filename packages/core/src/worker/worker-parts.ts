/** What a worker is made of, and what it tells. Types only. */

import type { CircuitState } from '../domain/circuit.ts';
import type { Clock } from '../domain/clock.ts';
import type { EnqueueRequest } from '../domain/job-options.ts';
import type { Log } from '../log.ts';
import type { Plugin, ServiceEvents } from '../plugin.ts';
import type { Hooks } from '../plugins/hooks.ts';
import type { PreparedJob } from '../queue/enqueue-batch.ts';
import type { Notifications } from '../queue/notifications.ts';
import type { Takers } from '../queue/takers.ts';
import type { Pool } from '../store/pool.ts';
import type { Route } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { StepRuns } from '../workflow/step-runs.ts';
import type { RegisteredKind } from './registry.ts';
import type { CheckedWorkerOptions } from './worker-options.ts';

/** What a worker is made of; the facade gathers it. */
export interface WorkerParts {
  readonly route: Route;
  readonly pool: Pool;
  readonly statements: BoundStatements;
  readonly schema: string;
  readonly notifications: Notifications;
  /** Where it offers to take what this process enqueues. */
  readonly takers: Takers;
  readonly clock: Clock;
  readonly log: Log;
  readonly build: string;
  readonly facts: {
    readonly hostname: string;
    readonly os: string;
    readonly arch: string;
    readonly node: string;
    readonly pid: number;
    readonly python: string | undefined;
  };
  readonly random: () => number;
  readonly kinds: ReadonlyMap<string, RegisteredKind>;
  readonly options: CheckedWorkerOptions & { readonly workerId: string };
  /** All of them, built-ins too, in the order in which their services start. */
  readonly plugins: readonly Plugin[];
  readonly hooks: Hooks;
  /** The runs of which jobs are steps. */
  readonly steps: StepRuns;
  prepare(request: EnqueueRequest): PreparedJob;
}

/** What a worker tells. */
export interface WorkerEvents extends ServiceEvents {
  started: [];
  stopped: [];
  /** Nothing was left to claim. */
  drained: [];
  /** Jobs ended for good or for now, and it is written. */
  finished: [{ jobs: readonly { id: string; kind: string; ending: string }[] }];
  failed: [{ id: string; kind: string; attempt: number; message: string; retryInMs: number | undefined }];
  /** Results came too late: their jobs had moved on, nothing was changed. */
  late: [{ ids: readonly string[] }];
  /** The database took this worker for dead; it registers anew. */
  disowned: [];
  /** The circuit breaker of a kind that this worker knows. `until`: when probes begin. */
  circuit: [
    {
      kind: string;
      from: CircuitState;
      to: CircuitState;
      until: Date | undefined;
      reason: string | undefined;
    },
  ];
  /** Changed settings of queues were taken in. */
  settings: [];
}
