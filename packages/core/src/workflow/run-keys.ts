/** Idempotency keys: of the runs of a workflow, one has a key, also when callers race. */

import { invalidOption, LineshaftError } from '../domain/errors.ts';
import type { StartRequest } from '../domain/workflow/run.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';

const keyMax = 1_000;
/** So long one waits for a run that has a key and is about to start. */
const waitMs = 5_000;
const lookMs = 25;

export class RunKeys {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(parts: { readonly pool: Pool; readonly statements: BoundStatements }) {
    this.pool = parts.pool;
    this.statements = parts.statements;
  }

  /**
   * Takes the key of a request for a run that is about to start.
   *
   * @param parent the run that starts it, if one does
   * @returns the run that has the key: this one, or with RETURN_EXISTING the one that had it, which is there
   * @throws LineshaftError RUN_EXISTS, RUN_BUSY (the run that has it is not there yet), OPTION_INVALID
   */
  async claim(request: StartRequest, runId: string, parent?: string): Promise<string> {
    const { name, idempotencyKey: key, idempotencyStrategy: strategy = 'FAIL' } = request;
    if (key === undefined || key === '') return runId;
    if (key.length > keyMax) throw invalidOption('idempotencyKey', key, `at most ${keyMax} characters`);
    const endMs = performance.now() + waitMs;
    for (;;) {
      const [row] = await this.pool.query<{ holder: string | null; there: boolean }>(
        this.statements.claimRunKey,
        [name, key, runId, parent ?? null, strategy === 'FAIL_ON_RUNNING'],
      );
      const holder = row?.holder ?? undefined;
      if (holder === runId) return runId;
      // Of a step nobody waits: other runs are decided in the same turn.
      if (holder !== undefined && (row?.there === true || parent !== undefined)) {
        if (strategy === 'RETURN_EXISTING') return holder;
        throw exists(request, holder);
      }
      if (performance.now() > endMs) {
        throw new LineshaftError('RUN_BUSY', {
          message: `run '${holder ?? ''}' with the idempotency key of this request is about to start; try again`,
          details: { runId: holder },
        });
      }
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }

  /** The run could not start. */
  async release({ name, idempotencyKey: key }: StartRequest, runId: string): Promise<void> {
    if (key === undefined || key === '') return;
    await this.pool.query(this.statements.releaseRunKey, [name, key, runId]);
  }
}

function exists(
  { name, idempotencyKey: key, idempotencyStrategy }: StartRequest,
  runId: string,
): LineshaftError {
  const which = idempotencyStrategy === 'FAIL_ON_RUNNING' ? 'that has not ended' : 'already';
  return new LineshaftError('RUN_EXISTS', {
    message: `workflow '${name}' has a run with the idempotency key '${key?.slice(0, 100)}' ${which}: ${runId}`,
    details: { name, runId },
  });
}
