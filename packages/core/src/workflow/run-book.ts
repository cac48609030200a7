/** Looking at runs: show, find by correlation, those that run; remove. What changes runs is in `runs.ts` and the other books. */

import { LineshaftError } from '../domain/errors.ts';
import { isUuid } from '../domain/uuid.ts';
import { isGathered } from '../domain/workflow/gathered-output.ts';
import type { Step } from '../domain/workflow/run.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { RunView, StepOfRun, WrittenRun } from './port.ts';
import type { LoadedRun, RunStore } from './run-store.ts';
import { withOutputs, withOutputTexts } from './shown-outputs.ts';

/** At most so many runs are listed in one answer. */
const listedMost = 10_000;

export class RunBook {
  private readonly store: RunStore;
  private readonly statements: BoundStatements;

  constructor(parts: { readonly store: RunStore; readonly statements: BoundStatements }) {
    this.store = parts.store;
    this.statements = parts.statements;
  }

  /** A run as it is now, with its steps unless they are not wanted. @throws LineshaftError RUN_NOT_FOUND */
  async show(runId: string, options: { readonly steps?: boolean } = {}): Promise<RunView> {
    const [view] = await this.views([runId], options.steps ?? true);
    if (view === undefined) throw runNotFound(runId);
    return view;
  }

  /** The same, with documents of steps as they are kept. @throws LineshaftError RUN_NOT_FOUND */
  async showWritten(runId: string): Promise<WrittenRun> {
    const found = isUuid(runId) ? await this.store.written(runId) : undefined;
    if (found === undefined) throw runNotFound(runId);
    return { run: found.run, steps: withOutputTexts(found.run, await this.withHolders(found.steps)) };
  }

  /** @throws LineshaftError STEP_NOT_FOUND */
  async showStep(stepId: string): Promise<StepOfRun> {
    const [found] = isUuid(stepId) ? await this.store.steps([stepId]) : [];
    if (found === undefined) throw stepNotFound(stepId);
    const [step = found.step] = isGathered(found.step)
      ? (await this.show(found.run.id)).steps.filter(({ id }) => id === stepId)
      : await this.withHolders([found.step]);
    return { ...found, step };
  }

  /** Runs of any of the names with any of the correlation ids, oldest first; at most 10,000. */
  async correlated(
    names: readonly string[],
    correlationIds: readonly string[],
    options: { readonly closed: boolean; readonly steps: boolean },
  ): Promise<RunView[]> {
    const rows = await this.store.read(this.statements.correlatedRuns, [
      textArray(names),
      textArray(correlationIds),
      options.closed,
      listedMost,
    ]);
    return await this.views(
      rows.map(([id]) => id ?? ''),
      options.steps,
    );
  }

  /** Ids of runs that have not ended, or of all that were made between two times (ms since 1970); at most 10,000. */
  async running(
    name: string,
    version?: number,
    between?: { readonly from: number; readonly to: number },
  ): Promise<string[]> {
    const rows = await this.store.read(this.statements.runningRuns, [
      name,
      version ?? null,
      between?.from ?? null,
      between?.to ?? null,
      listedMost,
    ]);
    return rows.map(([id]) => id ?? '');
  }

  /** Removes a run with all of its steps; what still comes of them is dropped. @throws LineshaftError RUN_NOT_FOUND */
  async remove(runId: string): Promise<void> {
    const [[found = 'f'] = []] = isUuid(runId)
      ? await this.store.write(this.statements.removeRun, [runId])
      : [];
    if (found !== 't') throw runNotFound(runId);
  }

  /** Steps by their ids, in that order; those that do not exist are left out. */
  async steps(ids: readonly string[]): Promise<StepOfRun[]> {
    const found = new Map((await this.store.steps(ids)).map((each) => [each.step.id, each]));
    const steps = ids.flatMap((id) => found.get(id)?.step ?? []);
    return (await this.withHolders(steps)).flatMap((step) => {
      const each = found.get(step.id);
      return each === undefined ? [] : [{ ...each, step }];
    });
  }

  /** In the order of the ids; runs that do not exist are left out. @param documents also those kept apart from their rows */
  async views(ids: readonly string[], withSteps: boolean, documents = true): Promise<RunView[]> {
    const wanted = new Map(ids.filter(isUuid).map((id) => [id, 0]));
    const loaded = new Map<string, LoadedRun>();
    for (const each of await this.store.load(wanted, { steps: withSteps, documents })) {
      if (each.trouble !== undefined) throw each.trouble;
      loaded.set(each.id, each);
    }
    const views: RunView[] = [];
    for (const id of wanted.keys()) {
      const found = loaded.get(id);
      if (found?.run === undefined) continue;
      views.push({ run: found.run, steps: withOutputs(found.run, await this.withHolders(found.steps)) });
    }
    return views;
  }

  /** A step that somebody has taken is IN_PROGRESS, which its row does not say: taking it writes no row. */
  private async withHolders<Each extends Omit<Step, 'input' | 'output'>>(
    steps: readonly Each[],
  ): Promise<readonly Each[]> {
    const waiting = steps.filter(({ status }) => status === 'SCHEDULED');
    if (waiting.length === 0) return steps;
    const rows = await this.store.read(this.statements.heldSteps, [
      `{${waiting.map(({ id }) => id).join(',')}}`,
    ]);
    const holders = new Map(rows.map(([id, workerId, taken]) => [id, { workerId, taken }]));
    return steps.map((step) => {
      const holder = holders.get(step.id);
      if (holder === undefined) return step;
      return {
        ...step,
        status: 'IN_PROGRESS',
        startedAt: step.startedAt ?? Number(holder.taken),
        workerId: holder.workerId ?? undefined,
        pollCount: step.pollCount + 1,
        callbackAfterSeconds: 0,
      };
    });
  }
}

export function runNotFound(runId: string): LineshaftError {
  return new LineshaftError('RUN_NOT_FOUND', { message: `run '${runId}' not found`, details: { runId } });
}

export function stepNotFound(stepId: string): LineshaftError {
  return new LineshaftError('STEP_NOT_FOUND', {
    message: `step '${stepId}' not found`,
    details: { stepId },
  });
}
