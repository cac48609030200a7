/**
 * Random definitions × random outcomes × random crash points: a run always ends or waits for something that has a name,
 * never does a step twice, and asking again changes nothing. `SimulatedRun` compares, after each decision, the state that
 * was brought forward with the one that the rows make.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimulatedRun } from '../../testing/simulated-run.ts';
import { deadlineOf } from './deadlines.ts';
import type { RunEvent } from './decision.ts';
import type { StepDefinition } from './definition.ts';
import { rerunFrom } from './rerun.ts';
import type { Step } from './run.ts';
import { hasEnded, isTerminal } from './status.ts';
import { restart, retry } from './try-again.ts';

test('a run ends or waits for something with a name, and does no step twice', () => {
  fc.assert(
    fc.property(definitions, fc.array(moves, { maxLength: 120 }), small, (shapes, story, changesMax) => {
      const play = new Play(build(shapes), changesMax);
      for (const move of story) {
        play.make(move);
        play.check();
      }
      play.finish();
    }),
    { numRuns: 300 },
  );
}, 120_000);

/** What a definition is made of, without names. */
type Shape =
  | { readonly type: 'step'; readonly as: string; readonly retries: number; readonly lenient: Lenient }
  | { readonly type: 'fork'; readonly branches: readonly (readonly Shape[])[]; readonly joined: number }
  | { readonly type: 'dynamic'; readonly branches: readonly Shape[]; readonly lenient: Lenient }
  | { readonly type: 'switch'; readonly script: boolean; readonly cases: readonly (readonly Shape[])[] }
  | {
      readonly type: 'loop';
      readonly items: number | undefined;
      readonly body: readonly Shape[];
      readonly keep: number;
    };

type Lenient = 'no' | 'optional' | 'permissive';

const lenient = fc.constantFrom<Lenient>('no', 'no', 'no', 'optional', 'permissive');
const small = fc.constantFrom(3, 20, 5_000);

const leaf: fc.Arbitrary<Shape> = fc.record({
  type: fc.constant('step' as const),
  as: fc.constantFrom(
    ...['SIMPLE', 'SIMPLE', 'SIMPLE', 'HTTP', 'SUB_WORKFLOW', 'INLINE', 'JSON_JQ_TRANSFORM', 'WAIT', 'HUMAN'],
    ...['NOOP', 'SET_VARIABLE', 'EVENT', 'START_WORKFLOW', 'TERMINATE', 'KAFKA_PUBLISH', 'DYNAMIC'],
  ),
  retries: fc.nat(2),
  lenient,
});

const { list: definitions } = fc.letrec<{ shape: Shape; list: Shape[] }>((tie) => ({
  list: fc.array(tie('shape'), { minLength: 1, maxLength: 3, depthIdentifier: 'shapes' }),
  shape: fc.oneof(
    { depthIdentifier: 'shapes', maxDepth: 3, withCrossShrink: true },
    { arbitrary: leaf, weight: 5 },
    {
      arbitrary: fc.record({
        type: fc.constant('fork' as const),
        branches: fc.array(tie('list'), { minLength: 1, maxLength: 3 }),
        joined: fc.nat(3),
      }),
      weight: 2,
    },
    {
      arbitrary: fc.record({
        type: fc.constant('dynamic' as const),
        branches: fc.array(tie('shape'), { maxLength: 3 }),
        lenient,
      }),
      weight: 1,
    },
    {
      arbitrary: fc.record({
        type: fc.constant('switch' as const),
        script: fc.boolean(),
        cases: fc.array(fc.oneof(tie('list'), fc.constant([])), { maxLength: 3 }),
      }),
      weight: 2,
    },
    {
      arbitrary: fc.record({
        type: fc.constant('loop' as const),
        items: fc.option(fc.nat(3), { nil: undefined }),
        body: tie('list'),
        keep: fc.nat(1),
      }),
      weight: 2,
    },
  ),
})) as { list: fc.Arbitrary<Shape[]> };

/** Names for all, in the order in which they stand. */
function build(shapes: readonly Shape[]): StepDefinition[] {
  let count = 0;
  const name = () => {
    count += 1;
    return `s${count}`;
  };
  const list = (inner: readonly Shape[]): StepDefinition[] => inner.flatMap((shape) => made(shape));
  const made = (shape: Shape): StepDefinition[] => {
    const ref = name();
    const basic = { name: ref, taskReferenceName: ref };
    if (shape.type === 'step') return [leafDefinition(shape, basic)];
    if (shape.type === 'switch') {
      const cases = shape.cases.map((inner, at) => [String(at), list(inner)] as const);
      const asked = shape.script
        ? { evaluatorType: 'javascript', expression: '$.which' }
        : { evaluatorType: 'value-param', expression: 'which', inputParameters: { which: '1' } };
      return [{ ...basic, ...asked, type: 'SWITCH', decisionCases: Object.fromEntries(cases) }];
    }
    if (shape.type === 'loop') {
      const items =
        shape.items === undefined ? {} : { items: Array.from({ length: shape.items }, (_, at) => at) };
      const inputParameters = shape.keep === 0 ? {} : { keepLastN: shape.keep };
      return [
        {
          ...basic,
          ...items,
          inputParameters,
          type: 'DO_WHILE',
          loopCondition: '$.on',
          loopOver: list(shape.body),
          ...(shape.keep === 0 ? {} : timed(ref)),
        },
      ];
    }
    const join = { name: 'join', taskReferenceName: `${ref}_join`, type: 'JOIN' };
    if (shape.type === 'fork') {
      const branches = shape.branches.map(list);
      const ends = branches.flatMap((branch) => branch.at(-1)?.taskReferenceName ?? []);
      // Sometimes not all of them.
      const joinOn = shape.joined === 0 ? ends.slice(1) : ends;
      return [
        { ...basic, type: 'FORK_JOIN', forkTasks: branches },
        { ...join, joinOn, ...(shape.joined === 1 ? timed(join.name) : {}) },
      ];
    }
    // Whatever needs a neighbour (a fork and its JOIN) can't be a branch that comes at run time.
    const branches = shape.branches.flatMap((branch) => (hasFork(branch) ? [] : made(branch)));
    return [
      {
        ...basic,
        type: 'FORK_JOIN_DYNAMIC',
        inputParameters: { tasks: branches, inputs: {} },
        dynamicForkTasksParam: 'tasks',
        dynamicForkTasksInputParamName: 'inputs',
      },
      join,
    ];
  };
  return list(shapes);
}

/** What waits for others has a time too. */
function timed(name: string): Pick<StepDefinition, 'taskDefinition'> {
  return { taskDefinition: { name, timeoutSeconds: 100, totalTimeoutSeconds: 200, timeoutPolicy: 'RETRY' } };
}

function hasFork(shape: Shape): boolean {
  return shape.type === 'fork' || shape.type === 'dynamic';
}

function leafDefinition(
  shape: Extract<Shape, { type: 'step' }>,
  basic: { name: string; taskReferenceName: string },
): StepDefinition {
  const settings = {
    name: basic.name,
    retryCount: shape.retries,
    retryDelaySeconds: 1,
    timeoutSeconds: shape.retries === 2 ? 50 : 0,
    timeoutPolicy: 'RETRY' as const,
    totalTimeoutSeconds: shape.retries === 1 ? 200 : 0,
  };
  return {
    ...basic,
    type: shape.as,
    optional: shape.lenient === 'optional' && shape.as !== 'TERMINATE',
    permissive: shape.lenient === 'permissive',
    taskDefinition: settings,
    inputParameters: {
      expression: '1',
      queryExpression: '.',
      terminationStatus: shape.retries === 0 ? 'FAILED' : 'COMPLETED',
      startWorkflow: shape.retries === 0 ? null : { name: 'other' },
      duration: shape.retries === 0 ? null : '5s',
      dynamic: 'known',
    },
    ...(shape.as === 'DYNAMIC' ? { dynamicTaskNameParam: 'dynamic' } : {}),
    ...(shape.as === 'SUB_WORKFLOW' ? { subWorkflowParam: { name: 'child', version: 1 } } : {}),
    ...(shape.as === 'EVENT' ? { sink: 'conductor', asyncComplete: shape.retries === 0 } : {}),
  };
}

interface Move {
  readonly do: Deed;
  /** Which of what is waited for. */
  readonly which: number;
  readonly well: boolean;
}

type Deed =
  | ('answer' | 'repeat' | 'crash' | 'time' | 'pause' | 'progress' | 'lapse' | 'terminate-child')
  // Of runs that have ended.
  | ('retry' | 'reopen' | 'rerun' | 'restart');

const moves: fc.Arbitrary<Move> = fc.record({
  do: fc.constantFrom<Deed[]>(
    ...(['answer', 'answer', 'answer', 'answer', 'answer', 'repeat', 'crash', 'time', 'pause'] as const),
    ...(['progress', 'lapse', 'terminate-child', 'retry', 'retry', 'reopen', 'rerun', 'restart'] as const),
  ),
  which: fc.nat(1_000),
  well: fc.oneof({ arbitrary: fc.constant(true), weight: 5 }, { arbitrary: fc.constant(false), weight: 1 }),
});

/** Plays the world around a run. */
class Play {
  readonly run: SimulatedRun;
  readonly told: RunEvent[] = [];

  constructor(tasks: readonly StepDefinition[], changesMax: number) {
    this.run = new SimulatedRun(tasks, { tasks: [{ name: 'known', retryCount: 1 }], limits: { changesMax } });
    this.check();
  }

  make(move: Move): void {
    const { run } = this;
    const waiting = this.waiting();
    const step = waiting[move.which % Math.max(1, waiting.length)];
    if (move.do === 'crash') run.crash();
    else if (move.do === 'time') run.wait(move.which % 10 === 0 ? 3_600_000 : (move.which % 60) * 1_000);
    else if (move.do === 'pause') this.pause();
    else if (move.do === 'repeat') this.repeat(move.which);
    else if (['retry', 'reopen', 'rerun', 'restart'].includes(move.do)) this.goOn(move);
    else if (step !== undefined) this.tell(this.newsOf(step, move));
  }

  /** A run that has ended goes on, in one of the ways in which it can. */
  goOn(move: Move): void {
    const { run } = this;
    if (!hasEnded(run.run.status)) return;
    const { steps } = run;
    const step = steps[move.which % Math.max(1, steps.length)];
    const child = steps.find((one) => one.subRunId !== undefined && one.type === 'SUB_WORKFLOW');
    // What was told of the steps before is of another life.
    this.told.length = 0;
    if (move.do === 'reopen') {
      const start = run.started.find((one) => one.stepId === child?.id);
      if (child === undefined || start === undefined || run.state.latest.get(child.ref) !== child) return;
      run.children.set(child.id, start);
      run.tell({ type: 'run-reopened', stepId: child.id, runId: start.runId });
    } else if (move.do === 'rerun' && step !== undefined) {
      if (run.state.latest.get(step.ref) === step)
        run.change((state, context) => rerunFrom(state, step, {}, context));
    } else if (move.do === 'restart') run.change((state, context) => restart(state, undefined, context));
    else if (move.do === 'retry') {
      try {
        run.change(retry);
      } catch (error) {
        expect(error).toMatchObject({ code: 'RUN_STATE' });
      }
    }
  }

  /** Answers all that is waited for, until the run has ended. */
  finish(): void {
    const { run } = this;
    if (run.run.status === 'PAUSED') this.pause();
    for (let turn = 0; turn < 600 && !hasEnded(run.run.status); turn += 1) {
      const [step] = this.waiting();
      if (step === undefined) run.wait(60_000);
      else this.tell(this.newsOf(step, { do: 'answer', which: turn, well: true }));
      this.check();
    }
    expect(run.run.status).not.toBe('RUNNING');
  }

  /** What must hold at any time. */
  check(): void {
    const { run } = this;
    const open = run.steps.filter((step) => !isTerminal(step.status));
    if (hasEnded(run.run.status)) {
      expect(open).toEqual([]);
      expect([run.jobs.size, run.evaluations.size, run.wakeAt]).toEqual([0, 0, undefined]);
      this.isWhole();
    } else if (run.run.status === 'RUNNING') {
      // Each that waits for nothing inside the run has somebody who was asked, or a time.
      for (const step of open) if (!isNamed(run, step)) expect(`${step.ref} waits for nobody`).toBe('');
      const waits = this.waiting().length > 0 || run.wakeAt !== undefined;
      expect(waits ? 'waits' : `stuck: ${run.story.join(', ')}`).toBe('waits');
    }
    if (!hasEnded(run.run.status)) expect(run.wakeAt).toBe(earliest(run.steps.map(deadlineOf)));
    const closed = [...run.jobs.keys()].filter((id) => !open.some((step) => step.id === id));
    expect(closed).toEqual([]);
    onceEach(run.steps);
    this.asksNothingTwice();
  }

  /** A run that completed has done all that its definition says, unless a step ended it. */
  isWhole(): void {
    const { run } = this;
    const ender = run.steps.some((step) => step.type === 'TERMINATE' && step.status === 'COMPLETED');
    if (run.run.status !== 'COMPLETED' || ender) return;
    expect(run.state.undecided.size).toBe(0);
    for (const { taskReferenceName } of run.run.definition.tasks)
      expect(isTerminal(run.step(taskReferenceName).status)).toBe(true);
  }

  asksNothingTwice(): void {
    const { run } = this;
    const before = run.run.revision;
    run.tell();
    expect(run.run.revision).toBe(before);
  }

  tell(event: RunEvent): void {
    this.told.push(event);
    this.run.tell(event);
  }

  repeat(which: number): void {
    const event = this.told[which % Math.max(1, this.told.length)];
    if (event === undefined) return;
    const step = 'stepId' in event ? this.run.state.byId.get(event.stepId) : undefined;
    const before = this.run.run.revision;
    this.run.tell(event);
    // Nothing that is told again changes anything, of a step that has ended or an iteration that is over.
    const over = event.type === 'evaluated' && step !== undefined && event.round < step.iteration;
    if (step === undefined || isTerminal(step.status) || over) expect(this.run.run.revision).toBe(before);
  }

  pause(): void {
    const { run } = this;
    const { status } = run.run;
    if (hasEnded(status)) return;
    run.write({ status: status === 'PAUSED' ? 'RUNNING' : 'PAUSED' });
    run.tell({ type: 'time' });
  }

  /** Open steps that wait for somebody outside. */
  waiting(): Step[] {
    const { run } = this;
    return run.steps.filter((step) => !isTerminal(step.status) && isOutside(run, step));
  }

  newsOf(step: Step, move: Move): RunEvent {
    const { run } = this;
    const stepId = step.id;
    const asked = run.evaluations.get(stepId);
    if (asked !== undefined) {
      const { round } = asked;
      const value = step.type === 'DO_WHILE' ? move.which % 3 > 0 && round < 4 : move.which % 4;
      const failure = { ok: false as const, message: 'no', terminal: false };
      return { type: 'evaluated', stepId, round, result: move.well ? { ok: true, value } : failure };
    }
    const child = run.children.get(stepId);
    if (child !== undefined) {
      const { runId } = child;
      if (step.type === 'START_WORKFLOW')
        return move.well
          ? { type: 'run-started', stepId, runId }
          : { type: 'run-refused', stepId, reason: 'no' };
      const status = move.do === 'terminate-child' ? 'TERMINATED' : move.well ? 'COMPLETED' : 'FAILED';
      return { type: 'run-ended', stepId, runId, status, output: { child: 1 }, reason: undefined };
    }
    const output = { n: move.which };
    if (move.do === 'lapse') return { type: 'lapsed', stepId, startedAt: run.now, at: run.now };
    if (move.do === 'progress')
      return { type: 'reported', stepId, status: 'IN_PROGRESS', output, callbackAfterSeconds: 3 };
    const status = move.well ? 'COMPLETED' : move.which % 5 === 0 ? 'FAILED_WITH_TERMINAL_ERROR' : 'FAILED';
    return { type: 'reported', stepId, status, output };
  }
}

function isOutside(run: SimulatedRun, step: Step): boolean {
  const asked = run.jobs.has(step.id) || run.evaluations.has(step.id) || run.children.has(step.id);
  return asked || ['WAIT', 'HUMAN', 'EVENT'].includes(step.type) || isHttpInProgress(step);
}

/** A request that was answered, whose end comes from elsewhere. */
function isHttpInProgress(step: Step): boolean {
  return step.type === 'HTTP' && step.status === 'IN_PROGRESS';
}

function isNamed(run: SimulatedRun, step: Step): boolean {
  return isOutside(run, step) || step.dueAt !== undefined || run.state.passive.has(step.seq);
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time): time is number => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** A ref has one step, or a chain of attempts. */
function onceEach(steps: readonly Step[]): void {
  const latest = new Map<string, Step>();
  for (const step of steps) {
    const before = latest.get(step.ref);
    if (before !== undefined) {
      expect([before.retried, step.retriedStepId, step.retryCount]).toEqual([
        true,
        before.id,
        before.retryCount + 1,
      ]);
    }
    latest.set(step.ref, step);
  }
}
