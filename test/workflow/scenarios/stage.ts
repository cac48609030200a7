/** What the scenarios of Conductor's own suite share: an installation, workflows of their own names, and ways to play a worker. */

import { afterAll, beforeAll } from 'vitest';
import type { Step } from '../../../packages/core/src/domain/workflow/run.ts';
import type {
  RunView,
  StepDefinition,
  TaskDefinition,
  WorkflowDefinition,
} from '../../../packages/core/src/index.ts';
import { freshName, openSite, type Site, until } from '../../worker/site.ts';

type Values = Readonly<Record<string, unknown>>;

/** One run on the stage. */
export interface Play {
  readonly runId: string;
  show(): Promise<RunView>;
  /** The refs and statuses of all steps, in order. */
  story(): Promise<string[]>;
  /** The last instance of a ref, once there is one that is open or, with `any`, whichever. */
  step(ref: string, any?: 'any'): Promise<Step>;
  /** Ends a step, as its worker would. */
  end(ref: string, output?: Values): Promise<void>;
  fail(ref: string, reason?: string, status?: 'FAILED' | 'FAILED_WITH_TERMINAL_ERROR'): Promise<void>;
  /** The run when it has ended. */
  ended(): Promise<RunView>;
}

export interface Stage {
  readonly site: () => Site;
  /** Registers a workflow under a name of its own, and starts it. */
  play(tasks: readonly StepDefinition[], more?: Staging): Promise<Play>;
  register(tasks: readonly StepDefinition[], more?: Partial<WorkflowDefinition>): Promise<string>;
  /** A run that something else has started. */
  follow(runId: string): Play;
}

export interface Staging {
  readonly input?: Values;
  readonly definition?: Partial<WorkflowDefinition>;
}

/** An installation for the tests of a file. */
export function openStage(): Stage {
  let site: Site | undefined;
  const here = (): Site => {
    if (site === undefined) throw new Error('the stage is not open yet');
    return site;
  };
  beforeAll(async () => {
    site = await openSite(18);
    // What time alone changes is looked after by the services of a worker.
    await site.work('workflow', { handlers: { nothing: () => {} } });
  });
  afterAll(async () => {
    await site?.rest();
    await site?.close();
  });
  const register: Stage['register'] = async (tasks, more = {}) => {
    const name = freshName('scenario');
    await here().lineshaft.workflows.putWorkflow({ name, version: 1, tasks, ...more }, { overwrite: false });
    return name;
  };
  const follow = (runId: string): Play => new PlayOfRun(here(), runId);
  return {
    site: here,
    register,
    follow,
    async play(tasks, { input = {}, definition = {} } = {}) {
      const name = await register(tasks, definition);
      return follow(await here().lineshaft.workflows.start({ name, input, correlationId: 'scenario' }));
    },
  };
}

class PlayOfRun implements Play {
  readonly runId: string;
  readonly #site: Site;

  constructor(site: Site, runId: string) {
    this.#site = site;
    this.runId = runId;
  }

  show(): Promise<RunView> {
    return this.#site.lineshaft.workflows.show(this.runId, { steps: true });
  }

  async story(): Promise<string[]> {
    const { steps } = await this.show();
    return steps.map((step) => `${step.ref} ${step.status}`);
  }

  step(ref: string, any?: 'any'): Promise<Step> {
    return until(`step ${ref}`, async () => {
      const { steps } = await this.show();
      const found = steps.filter((step) => step.ref === ref).at(-1);
      const open = found?.status === 'SCHEDULED' || found?.status === 'IN_PROGRESS';
      return any === 'any' || open ? found : undefined;
    });
  }

  async end(ref: string, output: Values = {}): Promise<void> {
    const { id: stepId } = await this.step(ref);
    await this.#site.lineshaft.workflows.report({ stepId, status: 'COMPLETED', output, workerId: 'stage' });
  }

  async fail(
    ref: string,
    reason = 'it broke',
    status: 'FAILED' | 'FAILED_WITH_TERMINAL_ERROR' = 'FAILED',
  ): Promise<void> {
    const { id: stepId } = await this.step(ref);
    await this.#site.lineshaft.workflows.report({ stepId, status, reason, workerId: 'stage' });
  }

  async ended(): Promise<RunView> {
    return until(`the end of ${this.runId}`, async () => {
      const view = await this.show();
      return view.run.endedAt === undefined ? undefined : view;
    });
  }
}

/** A step that a worker does; its task is tried `retryCount` times again (default 0), at once. */
export function simple(
  ref: string,
  more: Partial<StepDefinition> = {},
  task: Partial<TaskDefinition> = {},
): StepDefinition {
  const name = `work_${ref}`;
  const taskDefinition = { name, retryCount: 0, retryDelaySeconds: 0, ...task };
  return { name, taskReferenceName: ref, type: 'SIMPLE', inputParameters: {}, taskDefinition, ...more };
}

export function fork(ref: string, ...forkTasks: StepDefinition[][]): StepDefinition {
  return { name: ref, taskReferenceName: ref, type: 'FORK_JOIN', forkTasks };
}

export function join(ref: string, ...joinOn: string[]): StepDefinition {
  return { name: ref, taskReferenceName: ref, type: 'JOIN', joinOn };
}

/** Any step with these parameters. */
export function stepOf(
  type: string,
  ref: string,
  inputParameters: Values = {},
  more: Partial<StepDefinition> = {},
): StepDefinition {
  return { name: ref, taskReferenceName: ref, type, inputParameters, ...more };
}
