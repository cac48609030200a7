/** What the services of a worker are given of it: facts, and ways to the database. */

import type { ServiceContext, ServiceInternals, WorkerFacts } from '../plugin.ts';
import type { Outlook } from '../services/outlook.ts';
import type { Pool } from '../store/pool.ts';
import { bindSchema } from '../store/schema-name.ts';
import type { Statement } from '../store/session.ts';
import type { CheckedWorkerOptions } from './worker-options.ts';
import type { WorkerParts } from './worker-parts.ts';
import type { WorkerSessions } from './worker-sessions.ts';

export function workerFacts(
  options: CheckedWorkerOptions,
  worker: { readonly id: string; readonly tags: readonly string[]; readonly build: string },
): WorkerFacts {
  const { slots, leaseMs, maxRescues } = options;
  const { id, tags, build } = worker;
  return { workerId: id, name: options.name ?? id, tags, build, slots, leaseMs, maxRescues };
}

export function serviceAccess(
  { pool, schema, statements, steps }: WorkerParts,
  sessions: WorkerSessions,
  outlook: Outlook,
  workerRow: () => string,
): { internals: ServiceInternals; query: ServiceContext['query'] } {
  const queryOn =
    (run: Pool['query']): ServiceContext['query'] =>
    (text, values) =>
      run(statementOf(text, schema), values);
  return {
    query: queryOn((statement, values) => pool.query(statement, values)),
    internals: {
      schema,
      statements,
      outlook,
      session: sessions.service,
      slowSession: sessions.keeper,
      batchSession: sessions.scheduler,
      steps,
      workerRow,
      transaction: (work) => pool.transaction((run) => work(queryOn(run), run)),
    },
  };
}

/** A plugin's own statement, sent without a name. */
function statementOf(text: string, schema: string): Statement {
  return { name: '', text: bindSchema(text, schema) };
}
