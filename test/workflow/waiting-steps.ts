/** Steps that wait for workers, put into the database as a run puts them: for tests of what hands them out. */

import { randomBytes } from 'node:crypto';
import { uuidV7 } from '../../packages/core/src/domain/uuid.ts';
import { stepKind } from '../../packages/core/src/domain/workflow/step-kind.ts';
import type { EnqueueOptions } from '../../packages/core/src/index.ts';
import type { Site } from '../worker/site.ts';

export interface WaitingStep {
  readonly runId: string;
  readonly stepId: string;
}

const newId = (): string => uuidV7(Date.now(), randomBytes(10));

/** Steps of a kind, each of a run of its own, in the order in which they were made. */
export async function waitingSteps(
  site: Site,
  kind: string,
  count: number,
  options: EnqueueOptions & { readonly domain?: string; readonly responseMs?: number } = {},
): Promise<WaitingStep[]> {
  const { domain, responseMs, ...more } = options;
  const definition = {
    name: 'test',
    tasks: [{ name: kind, taskReferenceName: 'ref', type: 'SIMPLE', inputParameters: {} }],
  };
  const hash = `test ${kind}`;
  await site.rows(
    'insert into lineshaft.run_definition (hash, definition) values ($1, $2) on conflict do nothing',
    [hash, JSON.stringify(definition)],
  );
  const steps = Array.from({ length: count }, () => ({ runId: newId(), stepId: newId() }));
  const runIds = steps.map(({ runId }) => runId);
  const stepIds = steps.map(({ stepId }) => stepId);
  await site.rows(
    `insert into lineshaft.run (id, revision, status, next_seq, updated_at, created_at, definition, name, version)
     select id, 1, 'RUNNING', 2, now(), now(), $2, 'test', 1 from unnest($1::uuid[]) as id`,
    [runIds, hash],
  );
  await site.rows(
    `insert into lineshaft.step (run_id, seq, id, revision, ref, type, name, status, scheduled_at, updated_at, input, output)
     select run, 1, step, 1, 'ref', $3, $3, 'SCHEDULED', now(), now(), json_build_object('n', n), '{}'
     from unnest($1::uuid[], $2::uuid[]) with ordinality as t (run, step, n)`,
    [runIds, stepIds, kind],
  );
  await site.lineshaft.enqueueMany(
    stepIds.map((id) => ({
      kind: stepKind(kind) ?? '',
      queue: 'workflow',
      id,
      payload: {},
      ...(domain === undefined ? {} : { requirements: [`domain=${domain}`] }),
      ...(responseMs === undefined ? {} : { meta: { responseMs } }),
      ...more,
    })),
  );
  return steps;
}
