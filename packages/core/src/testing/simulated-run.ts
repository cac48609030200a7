/**
 * A run without a database: decides, writes what was decided into a list of rows (as JSON, and back), evaluates nothing,
 * does no jobs. Tests say what happens; after each decision the state that was brought forward is compared with the one
 * that the rows make.
 */

import { isDeepStrictEqual } from 'node:util';
import { decide } from '../domain/workflow/decide.ts';
import type {
  DecideContext,
  Decision,
  Evaluation,
  RunEvent,
  RunStart,
  StepJob,
} from '../domain/workflow/decision.ts';
import type {
  JsonObject,
  StepDefinition,
  TaskDefinition,
  WorkflowDefinition,
} from '../domain/workflow/definition.ts';
import { inLine } from '../domain/workflow/rate-limit.ts';
import type { Run, Step, StepStatus } from '../domain/workflow/run.ts';
import { applyDecision, applyRows, type RunState, readState, stepsOf } from '../domain/workflow/state.ts';

export interface SimulatedOptions {
  readonly definition?: Partial<WorkflowDefinition>;
  readonly input?: JsonObject;
  readonly tasks?: readonly TaskDefinition[];
  readonly taskToDomain?: Readonly<Record<string, string>>;
  readonly limits?: Partial<DecideContext['limits']>;
  readonly parent?: Run['parent'];
}

const mebibyte = 1_048_576;

export class SimulatedRun {
  state: RunState;
  now = 1_700_000_000_000;
  random = 0;
  /** What is there to be done by others: by the id of its step. */
  readonly jobs = new Map<string, StepJob>();
  readonly evaluations = new Map<string, Evaluation>();
  readonly children = new Map<string, RunStart>();
  readonly started: RunStart[] = [];
  readonly terminated: string[] = [];
  readonly messages: Decision['messages'][number][] = [];
  wakeAt: number | undefined;
  decisions = 0;
  last: Decision;
  readonly #tasks: ReadonlyMap<string, TaskDefinition>;
  readonly #limits: DecideContext['limits'];
  #ids = 0;

  constructor(steps: readonly StepDefinition[], options: SimulatedOptions = {}) {
    this.#tasks = new Map((options.tasks ?? []).map((task) => [task.name, task]));
    this.#limits = {
      variablesMaxBytes: 262_144,
      documents: { runInput: mebibyte, runOutput: mebibyte, stepInput: mebibyte, stepOutput: mebibyte },
      stepsMax: 1_000_000,
      changesMax: 5_000,
      ...options.limits,
    };
    const definition = { name: 'flow', version: 1, tasks: steps, ...options.definition };
    this.state = readState(newRun(definition, this.now, options), []);
    this.last = this.tell({ type: 'started' });
  }

  /** Tells the run what has happened, until it has nothing more to decide at once. */
  tell(...events: RunEvent[]): Decision {
    let told = events;
    // Whoever ends a job has it no more.
    for (const event of events)
      if (event.type === 'reported' || event.type === 'lapsed') this.jobs.delete(event.stepId);
    for (;;) {
      this.last = decide(this.state, told, this.#context());
      this.#write(this.last);
      if (!this.last.again) return this.last;
      told = [];
    }
  }

  /** Does what somebody wants of the run. */
  change(decideWith: (state: RunState, context: DecideContext) => Decision): Decision {
    this.last = decideWith(this.state, this.#context());
    this.#write(this.last);
    return this.last.again ? this.tell() : this.last;
  }

  /** The last instance of a step, by its ref with `__N`. */
  step(ref: string): Step {
    const step = this.state.latest.get(ref);
    if (step === undefined)
      throw new Error(`there is no step ${ref}, but ${[...this.state.latest.keys()].join(', ')}`);
    return step;
  }

  get run(): Run {
    return this.state.run;
  }

  get steps(): Step[] {
    return stepsOf(this.state);
  }

  /** The refs and statuses, in order. */
  get story(): string[] {
    return this.steps.map((step) => `${step.ref} ${step.status}`);
  }

  /** Ends a step, as its worker would. */
  end(ref: string, output: JsonObject = {}, status: StepStatus = 'COMPLETED', reason?: string): Decision {
    return this.tell({ type: 'reported', stepId: this.step(ref).id, status, output, reason });
  }

  fail(ref: string, reason = 'it broke', status: StepStatus = 'FAILED'): Decision {
    return this.end(ref, {}, status, reason);
  }

  /** Gives the result of a script that a step has asked for. */
  evaluate(ref: string, value: unknown): Decision {
    const { id } = this.step(ref);
    const { round } = this.evaluations.get(id) ?? { round: 0 };
    return this.tell({ type: 'evaluated', stepId: id, round, result: { ok: true, value } });
  }

  /** Lets time go by. */
  wait(ms: number): Decision {
    this.now += ms;
    return this.tell({ type: 'time' });
  }

  /** Forgets all but the rows. */
  crash(): void {
    this.state = readState(throughJson(this.state.run), this.steps.map(throughJson));
  }

  /** Writes fields of the run, as those who control it do. */
  write(fields: Partial<Run>): void {
    applyRows(this.state, { ...this.run, ...fields }, [], []);
  }

  /** Writes a step, as those who control the run do. */
  put(step: Step): void {
    applyRows(this.state, undefined, [step], []);
  }

  #context(): DecideContext {
    return {
      now: this.now,
      newId: () => {
        this.#ids += 1;
        return `id-${this.#ids}`;
      },
      random: () => this.random,
      environment: { HOME_TOWN: 'Bonn' },
      domainOf: (type, domains) => domains[type] ?? domains['*'],
      taskOf: (name) => this.#tasks.get(name),
      limits: this.#limits,
    };
  }

  #write(decision: Decision): void {
    this.decisions += 1;
    const rows = new Map(this.steps.map((step) => [step.seq, step]));
    for (const seq of decision.removed) rows.delete(seq);
    for (const step of decision.steps) rows.set(step.seq, step);
    applyDecision(this.state, decision);
    compare(this.state, readState(throughJson(this.state.run), [...rows.values()].map(throughJson)));
    this.wakeAt = decision.wakeAt;
    for (const job of decision.jobs) this.jobs.set(job.stepId, job);
    for (const id of decision.withdrawn) this.jobs.delete(id);
    for (const one of decision.evaluations) this.evaluations.set(one.stepId, one);
    for (const id of this.evaluations.keys()) if (!this.#isAsking(id)) this.evaluations.delete(id);
    for (const start of decision.starts) {
      this.started.push(start);
      if (start.stepId !== undefined) this.children.set(start.stepId, start);
    }
    for (const id of this.children.keys()) if (!this.#isOpen(id)) this.children.delete(id);
    for (const { runId } of decision.terminates) this.terminated.push(runId);
    this.messages.push(...decision.messages);
  }

  #isAsking(stepId: string): boolean {
    return this.#isOpen(stepId) && this.state.byId.get(stepId)?.dueAt !== undefined;
  }

  #isOpen(stepId: string): boolean {
    const step = this.state.byId.get(stepId);
    return step !== undefined && this.state.open.has(step.seq);
  }
}

function newRun(definition: WorkflowDefinition, now: number, options: SimulatedOptions): Run {
  const run: Run = {
    id: 'run-1',
    revision: 1,
    definition,
    status: 'RUNNING',
    input: options.input ?? {},
    output: {},
    variables: definition.variables ?? {},
    priority: 0,
    correlationId: 'c-1',
    idempotencyKey: undefined,
    taskToDomain: options.taskToDomain ?? {},
    createdBy: undefined,
    createdAt: now,
    updatedAt: now,
    endedAt: undefined,
    lastRetriedAt: undefined,
    reason: undefined,
    event: undefined,
    parent: options.parent,
    reRunFrom: undefined,
    failedRefs: [],
    failedNames: [],
    nextSeq: 1,
    limited: undefined,
    depth: 0,
  };
  return { ...run, limited: inLine(run) };
}

/** The state that was brought forward must be that of the rows. */
function compare(state: RunState, fresh: RunState): void {
  for (const name of ['steps', 'byId', 'latest', 'named', 'joins', 'joinsOf', 'children'] as const) {
    same(name, entriesOf(state[name]), entriesOf(fresh[name]));
  }
  for (const name of ['open', 'passive', 'undecided', 'unsuccessful', 'failures'] as const) {
    same(name, [...state[name]].sort(), [...fresh[name]].sort());
  }
  same('deadlines', entriesOf(state.deadlines.of), entriesOf(fresh.deadlines.of));
}

function same(name: string, left: unknown, right: unknown): void {
  if (isDeepStrictEqual(left, right)) return;
  throw new Error(`${name} differs: brought forward ${JSON.stringify(left)}, read ${JSON.stringify(right)}`);
}

function entriesOf(map: Iterable<readonly [unknown, unknown]>): unknown {
  const entries = [...map].map(([key, value]) => [
    String(key),
    value instanceof Set ? [...value].sort() : throughJson(value),
  ]);
  return Object.fromEntries(entries);
}

function throughJson<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value));
}
