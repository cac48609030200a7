/**
 * What people do to runs: each is decided by a pure function (`domain/workflow/control.ts`, `try-again.ts`, `rerun.ts`) upon the
 * run as the database has it. What it means for the run of a parent goes its usual way: a run that goes on after its end
 * tells the step that had started it.
 */

import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { pause, resetCallbacks, resume, skip, terminate } from '../domain/workflow/control.ts';
import type { WorkflowDefinition } from '../domain/workflow/definition.ts';
import { nameOf } from '../domain/workflow/refusal.ts';
import { rerunAll, rerunAround, rerunFrom } from '../domain/workflow/rerun.ts';
import type { RunStatus, Step, StepStatus } from '../domain/workflow/run.ts';
import { hasEnded, isTerminal, isUnsuccessful } from '../domain/workflow/status.ts';
import { restart, retry } from '../domain/workflow/try-again.ts';
import type { RerunRequest, RunView, StepOfRun } from './port.ts';
import { type RunBook, stepNotFound } from './run-book.ts';
import type { Runs } from './runs.ts';

/** Runs within runs deeper than this are not looked into. */
const depthMax = 100;
/** So many runs are looked at for one signal. */
const signalledMost = 1_000;

/** What a signal may make of a step. */
const signals: readonly StepStatus[] = [
  'IN_PROGRESS',
  'COMPLETED',
  'COMPLETED_WITH_ERRORS',
  'FAILED',
  'FAILED_WITH_TERMINAL_ERROR',
  'TIMED_OUT',
  'CANCELED',
  'SKIPPED',
];

export interface ControlBookParts {
  readonly runs: Pick<Runs, 'change' | 'look' | 'tell'>;
  readonly runBook: RunBook;
  /** The latest definition of a name, as a run keeps it. @throws LineshaftError WORKFLOW_NOT_FOUND */
  readonly latestDefinition: (name: string) => Promise<WorkflowDefinition>;
}

export class ControlBook {
  private readonly runs: ControlBookParts['runs'];
  private readonly runBook: RunBook;
  private readonly latestDefinition: ControlBookParts['latestDefinition'];

  constructor(parts: ControlBookParts) {
    this.runs = parts.runs;
    this.runBook = parts.runBook;
    this.latestDefinition = parts.latestDefinition;
  }

  /** Looks at a run: done by itself after each change. @throws LineshaftError RUN_NOT_FOUND */
  async decide(runId: string): Promise<void> {
    await this.runs.look(runId);
  }

  async pause(runId: string): Promise<void> {
    await this.runs.change(runId, pause);
  }

  async resume(runId: string): Promise<void> {
    await this.runs.change(runId, resume);
  }

  async terminate(
    runId: string,
    options: { readonly reason?: string; readonly triggerFailureWorkflow?: boolean } = {},
  ): Promise<void> {
    await this.runs.change(runId, (state, context) => terminate(state, options, context));
  }

  async restart(runId: string, options: { readonly useLatestDefinitions?: boolean } = {}): Promise<void> {
    let definition: WorkflowDefinition | undefined;
    if (options.useLatestDefinitions === true) {
      const { run } = await this.runBook.show(runId, { steps: false });
      definition = await this.latestDefinition(run.definition.name);
    }
    await this.runs.change(runId, (state, context) => restart(state, definition, context));
  }

  /** With `resumeSubworkflowTasks` in the deepest run that failed; the runs around it go on as they hear of it. */
  async retry(runId: string, options: { readonly resumeSubworkflowTasks?: boolean } = {}): Promise<void> {
    const target = options.resumeSubworkflowTasks === true ? await this.deepestFailed(runId) : runId;
    await this.runs.change(target, retry);
  }

  /** @returns the id of the run @throws LineshaftError RUN_STATE, RUN_NOT_FOUND, STEP_NOT_FOUND: also of steps of other runs */
  async rerun(runId: string, request: RerunRequest): Promise<string> {
    const { fromStepId, runInput, correlationId, stepInput } = request;
    const ofRun = { runInput, correlationId };
    if (fromStepId === undefined) {
      await this.runs.change(runId, (state, context) => rerunAll(state, ofRun, context));
      return runId;
    }
    await this.demandEnded(runId);
    const { run } = await this.runBook.showStep(fromStepId);
    const around = await this.wayUp(run.id, runId, fromStepId);
    // The innermost first: what becomes of the others follows from it, also if this process dies between.
    await this.runs.change(run.id, (state, context) => {
      const step = state.byId.get(fromStepId);
      if (step === undefined) throw stepNotFound(fromStepId);
      return rerunFrom(state, step, { stepInput, ...(run.id === runId ? ofRun : {}) }, context);
    });
    for (const parent of around) {
      await this.runs.change(parent.runId, (state, context) => {
        const step = state.byId.get(parent.stepId);
        if (step === undefined) throw stepNotFound(parent.stepId);
        return rerunAround(state, step, parent.runId === runId ? ofRun : {}, context);
      });
    }
    return runId;
  }

  async skip(
    runId: string,
    ref: string,
    request: {
      readonly input?: Readonly<Record<string, unknown>>;
      readonly output?: Readonly<Record<string, unknown>>;
    } = {},
  ): Promise<void> {
    await this.runs.change(runId, (state, context) => skip(state, ref, request, context));
  }

  async resetCallbacks(runId: string): Promise<void> {
    await this.runs.change(runId, resetCallbacks);
  }

  /**
   * Ends the first WAIT that is not over, in the run or in the runs of its steps.
   *
   * @returns the step; undefined: none waits
   * @throws LineshaftError RUN_NOT_FOUND, OPTION_INVALID
   */
  async signal(
    runId: string,
    status: RunStatus | StepStatus,
    output: Readonly<Record<string, unknown>>,
  ): Promise<StepOfRun | undefined> {
    const wanted = signals.find((each) => each === status);
    if (wanted === undefined) throw invalidOption('status', status, signals.join(', '));
    const found = await this.firstWait(runId);
    if (found === undefined) return undefined;
    await this.runs.tell(found.runId, [
      { type: 'reported', stepId: found.step.id, status: wanted, output, withdraw: true },
    ]);
    return await this.runBook.showStep(found.step.id);
  }

  /** Depth first, in the order of the steps. */
  private async firstWait(runId: string): Promise<{ runId: string; step: Step } | undefined> {
    const pending = [runId];
    for (let looked = 0; looked < signalledMost; looked += 1) {
      const next = pending.pop();
      if (next === undefined) return undefined;
      const view = await this.view(next, next === runId);
      const open = (view?.steps ?? []).filter((step) => !isTerminal(step.status));
      const step = open.find(({ type }) => type === 'WAIT');
      if (step !== undefined) return { runId: next, step };
      const inner = open.flatMap(({ type, subRunId }) => (type === 'SUB_WORKFLOW' ? (subRunId ?? []) : []));
      pending.push(...inner.reverse());
    }
    return undefined;
  }

  /** The run that a retry with `resumeSubworkflowTasks` is of. */
  private async deepestFailed(runId: string): Promise<string> {
    let at = runId;
    for (let depth = 0; depth < depthMax; depth += 1) {
      const view = await this.view(at, depth === 0);
      if (view === undefined) break;
      const failed = view.steps.find(
        (step) =>
          isUnsuccessful(step.status) && !step.retried && step.type !== 'JOIN' && step.type !== 'DO_WHILE',
      );
      if (failed?.type !== 'SUB_WORKFLOW' || failed.subRunId === undefined) return at;
      const child = await this.view(failed.subRunId, false);
      if (child === undefined || !hasEnded(child.run.status)) return at;
      at = child.run.id;
    }
    return at;
  }

  /** The steps that lie around a run, from it up to the run that was asked for. @throws STEP_NOT_FOUND where there is no way */
  private async wayUp(
    from: string,
    to: string,
    stepId: string,
  ): Promise<{ readonly runId: string; readonly stepId: string }[]> {
    const way: { readonly runId: string; readonly stepId: string }[] = [];
    for (let at = from; at !== to; ) {
      const view = way.length < depthMax ? await this.view(at, false) : undefined;
      if (view?.run.parent === undefined) throw stepNotFound(stepId);
      way.push(view.run.parent);
      at = view.run.parent.runId;
    }
    return way;
  }

  private async demandEnded(runId: string): Promise<void> {
    const { run } = await this.runBook.show(runId, { steps: false });
    if (hasEnded(run.status)) return;
    throw new LineshaftError('RUN_STATE', {
      message: `Workflow: ${nameOf(run)}.${run.status} is not in terminal state, unable to rerun.`,
      details: { runId, status: run.status },
    });
  }

  /** @param demanded whether it is an error that there is no such run; others may be removed meanwhile */
  private async view(runId: string, demanded: boolean): Promise<RunView | undefined> {
    try {
      return await this.runBook.show(runId, { steps: true });
    } catch (error) {
      if (!demanded && (error as Partial<LineshaftError>).code === 'RUN_NOT_FOUND') return undefined;
      throw error;
    }
  }
}
