/**
 * What the scenarios share: an installation whose services move runs on, and for each test a scene with names of its own, in
 * which somebody plays all the workers through the public API.
 */

import { expect } from 'vitest';
import type {
  Lineshaft,
  RunStatus,
  RunView,
  Step,
  StepDefinition,
  StepOfRun,
  StepReport,
  TaskDefinition,
  WorkflowDefinition,
} from '../../../packages/core/src/index.ts';
import type { ServerVersion } from '../../../packages/core/src/testing/server.ts';
import { openSite, type Site } from '../../worker/site.ts';

type Workflows = Lineshaft['workflows'];

export interface Stage {
  readonly site: Site;
  readonly flows: Workflows;
  /** A scene for one test. */
  scene(): Scene;
  close(): Promise<void>;
}

export async function openStage(version: ServerVersion = 18): Promise<Stage> {
  const site = await openSite(version);
  // It serves no steps: its services move on what time and scripts change.
  await site.work(await site.queue(), { handlers: { nothing: () => {} } });
  let scenes = 0;
  return {
    site,
    flows: site.lineshaft.workflows,
    scene() {
      scenes += 1;
      return new Scene(site.lineshaft.workflows, `s${scenes}`);
    },
    close: () => site.close(),
  };
}

const patienceMs = 15_000;

export class Scene {
  readonly flows: Workflows;
  private readonly prefix: string;

  constructor(flows: Workflows, prefix: string) {
    this.flows = flows;
    this.prefix = prefix;
  }

  /** The name in this scene of what other scenes also have. */
  name(short: string): string {
    return `${this.prefix}-${short}`;
  }

  /** Registers a workflow. @returns its name */
  async workflow(
    short: string,
    tasks: readonly StepDefinition[],
    more: Partial<WorkflowDefinition> = {},
  ): Promise<string> {
    const name = this.name(short);
    await this.flows.putWorkflow({ name, version: 1, tasks, ...more }, { overwrite: true });
    return name;
  }

  /** Registers how the steps of a name behave: without retries unless it is said. */
  async task(short: string, more: Partial<TaskDefinition> = {}): Promise<void> {
    const base = { retryCount: 0, retryDelaySeconds: 0, timeoutSeconds: 0, responseTimeoutSeconds: 600 };
    await this.flows.putTask({ ...base, ...more, name: this.name(short) });
  }

  /** Registers several of them, without retries. */
  async tasks(...shorts: string[]): Promise<void> {
    for (const short of shorts) await this.task(short);
  }

  /** A step that a worker does; its ref is the short name. */
  simple(short: string, more: Partial<StepDefinition> = {}): StepDefinition {
    return { name: this.name(short), taskReferenceName: short, type: 'SIMPLE', ...more };
  }

  start(name: string, input: Record<string, unknown> = {}, more: object = {}): Promise<string> {
    return this.flows.start({ name, input, ...more });
  }

  /** Takes the next step of a name, which is there or will be soon. */
  async poll(short: string, domain?: string): Promise<Step> {
    const [polled] = await this.flows.poll({
      kind: this.name(short),
      workerId: 'w1',
      count: 1,
      timeoutMs: patienceMs,
      ...(domain === undefined ? {} : { domain }),
    });
    if (polled === undefined) throw new Error(`nothing to do came for ${short}`);
    return polled.step;
  }

  /** Nobody is to do a step of this name now. */
  async idle(short: string): Promise<void> {
    const polled = await this.flows.poll({
      kind: this.name(short),
      workerId: 'w1',
      count: 1,
      timeoutMs: 0,
    });
    expect(polled.map(({ step }) => step.ref)).toEqual([]);
  }

  report(step: Step, status: StepReport['status'], more: Partial<StepReport> = {}) {
    return this.flows.report({ stepId: step.id, status, workerId: 'w1', ...more });
  }

  async complete(short: string, output: Record<string, unknown> = {}): Promise<Step> {
    const step = await this.poll(short);
    await this.report(step, 'COMPLETED', { output });
    return step;
  }

  async fail(short: string, reason = 'it went wrong', more: Partial<StepReport> = {}): Promise<Step> {
    const step = await this.poll(short);
    await this.report(step, 'FAILED', { reason, ...more });
    return step;
  }

  show(runId: string): Promise<RunView> {
    return this.flows.show(runId, { steps: true });
  }

  /** Waits for what will be. */
  async until(runId: string, what: string, done: (view: RunView) => boolean): Promise<RunView> {
    const view = await this.flows.waitForRun(runId, done, { timeoutMs: patienceMs });
    if (!done(view)) {
      throw new Error(
        `not within ${patienceMs} ms: ${what}; it is ${view.run.status}: ${statuses(view).join(' ')}`,
      );
    }
    return view;
  }

  /** Waits for the end of a run, which shall be this. */
  async ends(runId: string, status: RunStatus): Promise<RunView> {
    const ended = (view: RunView) => view.run.status !== 'RUNNING' && view.run.status !== 'PAUSED';
    const view = await this.until(runId, 'its end', ended);
    expect(`${view.run.status}: ${statuses(view).join(' ')} ${view.run.reason ?? ''}`).toMatch(
      new RegExp(`^${status}: `),
    );
    return view;
  }

  /** Waits for a step of a ref in a status, the latest of it. */
  async reaches(runId: string, ref: string, status: Step['status']): Promise<Step> {
    const view = await this.until(runId, `${ref}=${status}`, (each) => last(each, ref)?.status === status);
    return stepOf(view, ref);
  }

  /** The run that a step has started. */
  async child(runId: string, ref: string): Promise<string> {
    const view = await this.until(
      runId,
      `${ref} has started a run`,
      (each) => last(each, ref)?.subRunId !== undefined,
    );
    return stepOf(view, ref).subRunId ?? '';
  }
}

/** `ref=STATUS` of each step, in their order. */
export function statuses(view: RunView): string[] {
  return view.steps.map(({ ref, status }) => `${ref}=${status}`);
}

/** The latest step of a ref. */
export function last(view: RunView, ref: string): Step | undefined {
  return view.steps.findLast((step) => step.ref === ref);
}

export function stepOf(view: RunView, ref: string): Step {
  const step = last(view, ref);
  if (step === undefined) throw new Error(`there is no step ${ref}: ${statuses(view).join(' ')}`);
  return step;
}

/** What was reported to, which is there. */
export function present(reported: StepOfRun | undefined): StepOfRun {
  if (reported === undefined) throw new Error('nothing was there to report to');
  return reported;
}

export function join(ref: string, joinOn: readonly string[]): StepDefinition {
  return { name: ref, taskReferenceName: ref, type: 'JOIN', joinOn };
}

export function fork(ref: string, forkTasks: readonly (readonly StepDefinition[])[]): StepDefinition {
  return { name: ref, taskReferenceName: ref, type: 'FORK_JOIN', forkTasks };
}

/** A SUB_WORKFLOW step. */
export function sub(ref: string, name: string, more: Partial<StepDefinition> = {}): StepDefinition {
  return {
    name: ref,
    taskReferenceName: ref,
    type: 'SUB_WORKFLOW',
    subWorkflowParam: { name, version: 1 },
    ...more,
  };
}
