/**
 * A decision while it is made: what it changes, laid over a state that is only read. All that it is asked costs what was
 * changed; nothing looks at all steps but the end of a run that has some open.
 */

import { SmallMap } from '../small-collections.ts';
import type { Node } from './compile.ts';
import { inOrder } from './deadlines.ts';
import type { DecideContext, Decision, Evaluation, RunStart, StepJob } from './decision.ts';
import { DraftJoins } from './draft-joins.ts';
import type { Run, Step } from './run.ts';
import { isJoin, isPassive, nodeOf, type RunState } from './state.ts';
import { hasFailed, isDone, isTerminal } from './status.ts';
import type { Reached } from './steps/step-type.ts';

/** Ends the run: a definition or an input with which it can't go on. */
export class RunFailure extends Error {
  readonly step: Step | undefined;

  constructor(reason: string, step?: Step) {
    super(reason);
    this.step = step;
  }
}

const none: ReadonlySet<never> = new Set<never>();
const nobody: readonly number[] = [];

export class Draft {
  readonly state: RunState;
  readonly context: DecideContext;
  readonly jobs = new SmallMap<string, StepJob>();
  readonly starts: RunStart[] = [];
  readonly terminates: { runId: string; reason: string }[] = [];
  readonly evaluations: Evaluation[] = [];
  readonly messages: Decision['messages'][number][] = [];
  /** Synchronous changes so far. */
  changes = 0;
  #run: Run;
  // Made where there is something to put in: a decision is made for each step.
  #withdrawn: Set<string> | undefined;
  #removed: Set<number> | undefined;
  #joins: DraftJoins | undefined;
  readonly #steps = new SmallMap<number, Step>();
  readonly #byId = new SmallMap<string, Step>();
  readonly #latest = new SmallMap<string, Step>();
  readonly #named = new SmallMap<string, Step>();
  readonly #nodes = new SmallMap<string, Node>();
  /** `seq` of steps that have ended and whose successors are to be decided, in order. */
  #ended: number[] = [];
  #nextEnded = 0;
  /** Where the flow has come to, the next last. */
  #reached: Reached[] = [];
  #opened = 0;
  #passive = 0;

  constructor(state: RunState, context: DecideContext) {
    this.state = state;
    this.context = context;
    this.#run = state.run;
  }

  get run(): Run {
    return this.#run;
  }

  get now(): number {
    return this.context.now;
  }

  /** Steps whose jobs nobody is to do. */
  get withdrawn(): ReadonlySet<string> {
    return this.#withdrawn ?? none;
  }

  get removed(): ReadonlySet<number> {
    return this.#removed ?? none;
  }

  get joins(): DraftJoins {
    this.#joins ??= new DraftJoins(this.state, (ref) => this.latest(ref));
    return this.#joins;
  }

  /** A ref is done, or not any more: the `seq` of the joins that name it. */
  tellJoins(ref: string): readonly number[] {
    return this.#joins === undefined && this.state.joinsOf.size === 0 ? nobody : this.joins.tell(ref);
  }

  withdraw(step: Step): void {
    this.#withdrawn ??= new Set();
    this.#withdrawn.add(step.id);
  }

  setRun(fields: Partial<Run>): void {
    this.#run = { ...this.#run, ...fields, updatedAt: this.now };
  }

  step(seq: number): Step | undefined {
    return this.removed.has(seq) ? undefined : (this.#steps.get(seq) ?? this.state.steps.get(seq));
  }

  byId(id: string): Step | undefined {
    const step = this.#byId.get(id) ?? this.state.byId.get(id);
    return step === undefined || this.removed.has(step.seq) ? undefined : step;
  }

  /** The last attempt of a ref, with its `__N`. */
  latest(ref: string): Step | undefined {
    return this.#latest.get(ref) ?? this.state.latest.get(ref);
  }

  /** The last instance of a reference name, without `__N`. */
  named(name: string): Step | undefined {
    return this.#named.get(name) ?? this.state.named.get(name);
  }

  nodeOf(step: Step): Node {
    return this.#nodes.get(step.ref) ?? nodeOf(this.state, step);
  }

  /** Makes nodes of a branch known, by their refs. */
  addNodes(nodes: ReadonlyMap<string, Node>): void {
    for (const [ref, node] of nodes) this.#nodes.set(ref, node);
  }

  /** The number of the step that is added next. */
  get nextSeq(): number {
    const { nextSeq } = this.#run;
    if (nextSeq <= this.context.limits.stepsMax) return nextSeq;
    throw new RunFailure(`The run has made ${this.context.limits.stepsMax} steps, and may not make more`);
  }

  /** Takes up a new step, of this node. @param added with the number that is next */
  add(added: Step, node: Node): Step {
    this.#run = { ...this.#run, nextSeq: added.seq + 1, updatedAt: this.now };
    const before = this.latest(added.ref);
    this.#nodes.set(added.ref, node);
    this.#put(added);
    // Another attempt: joins wait again.
    if (before !== undefined) this.tellJoins(added.ref);
    this.#count(undefined, added);
    if (isTerminal(added.status) && !added.executed) this.#end(added.seq);
    if (isJoin(added) && !isTerminal(added.status)) this.joins.watch(added);
    this.changes += 1;
    return added;
  }

  /** Changes a step; one that ends by it is told to what comes after. */
  change(step: Step, fields: Partial<Step>): Step {
    const changed = { ...step, ...fields, updatedAt: this.now };
    this.#put(changed);
    const was = isTerminal(step.status);
    const is = isTerminal(changed.status);
    this.#count(step, changed);
    if (is && !changed.executed && !changed.retried && !was) this.#end(changed.seq);
    if (isDone(step) !== isDone(changed)) this.tellJoins(changed.ref);
    if (was && !is && isJoin(changed)) this.joins.watch(changed);
    this.changes += 1;
    return changed;
  }

  /** What follows on a step that has ended is decided now. */
  settled(step: Step): Step {
    // Mostly it has ended in this decision: then nobody else has it yet, and it need not be made once more.
    if (this.#steps.get(step.seq) !== step) return this.change(step, { executed: true });
    const wasDone = isDone(step);
    (step as { executed: boolean }).executed = true;
    if (isDone(step) !== wasDone) this.tellJoins(step.ref);
    this.changes += 1;
    return step;
  }

  remove(step: Step): void {
    this.#removed ??= new Set();
    this.#removed.add(step.seq);
    this.#steps.delete(step.seq);
    this.#byId.delete(step.id);
    this.#count(step, undefined);
    this.changes += 1;
  }

  /** The next step that has ended, with nothing decided yet; undefined: no more. */
  takeEnded(): Step | undefined {
    for (;;) {
      const seq = this.#ended[this.#nextEnded];
      if (seq === undefined) return undefined;
      this.#nextEnded += 1;
      const step = this.step(seq);
      if (step !== undefined && isTerminal(step.status) && !step.executed && !step.retried) return step;
    }
  }

  /** The flow comes to these nodes, in this order, before anything else that is waiting. */
  reach(places: readonly Reached[]): void {
    const [only] = places;
    if (only !== undefined && places.length === 1 && this.#reached.length === 0) {
      this.#reached = [only];
      return;
    }
    for (let index = places.length - 1; index >= 0; index -= 1) {
      const place = places[index];
      if (place !== undefined) this.#reached.push(place);
    }
  }

  clearReached(): void {
    this.#reached.length = 0;
  }

  takeReached(): Reached | undefined {
    return this.#reached.pop();
  }

  /** What an earlier decision left, comes before what ended just now. */
  takeUndecided(): void {
    if (this.state.undecided.size > 0) this.#ended.unshift(...this.state.undecided);
  }

  get moreEnded(): boolean {
    return this.#nextEnded < this.#ended.length;
  }

  /** There are no steps. */
  get isEmpty(): boolean {
    return this.state.steps.size === this.removed.size && this.#steps.size === 0;
  }

  /** How many of those that have not ended wait for others of the run. */
  get passiveCount(): number {
    return this.state.passive.size + this.#passive;
  }

  /** How many steps have not ended. */
  get openCount(): number {
    return this.state.open.size + this.#opened;
  }

  /** The steps that have not ended. Looks at all of them. */
  openSteps(): Step[] {
    const seqs = new Set([...this.state.open, ...this.#steps.keys()]);
    return [...seqs]
      .flatMap((seq) => this.step(seq) ?? [])
      .filter((step) => !isTerminal(step.status))
      .sort((a, b) => a.seq - b.seq);
  }

  /** The steps in the branches of a fork, or the iterations of a loop. */
  childrenOf(stepId: string): Step[] {
    const known = [...(this.state.children.get(stepId) ?? [])].flatMap((seq) => this.step(seq) ?? []);
    const seen = this.state.steps;
    return [
      ...known,
      ...this.changedSteps().filter((step) => step.parentStepId === stepId && !seen.has(step.seq)),
    ];
  }

  /** All steps. */
  allSteps(): Step[] {
    const seqs = new Set([...this.state.steps.keys(), ...this.#steps.keys()]);
    return [...seqs].flatMap((seq) => this.step(seq) ?? []).sort((a, b) => a.seq - b.seq);
  }

  /** Those that have failed, in whichever attempt. */
  failedSteps(): Step[] {
    const seqs = new Set([...this.state.failures, ...this.#steps.keys()]);
    return [...seqs]
      .flatMap((seq) => this.step(seq) ?? [])
      .filter(({ status }) => hasFailed(status))
      .sort((a, b) => a.seq - b.seq);
  }

  /** Those that this decision has changed. */
  changedSteps(): Step[] {
    return [...this.#steps.values()];
  }

  isChanged(seq: number): boolean {
    return this.#steps.has(seq) || this.removed.has(seq);
  }

  /** The deadlines up to now of steps that this decision has not changed. */
  dueSteps(): Step[] {
    const due: Step[] = [];
    for (const { at, seq } of inOrder(this.state.deadlines)) {
      if (at > this.now) break;
      const step = this.isChanged(seq) ? undefined : this.step(seq);
      if (step !== undefined) due.push(step);
    }
    return due;
  }

  /** The earliest deadline of steps that this decision has not changed. */
  unchangedDeadline(): number | undefined {
    for (const { at, seq } of inOrder(this.state.deadlines)) if (!this.isChanged(seq)) return at;
    return undefined;
  }

  #end(seq: number): void {
    // Pushed into an empty list it would make room for sixteen more.
    if (this.#ended.length === 0) this.#ended = [seq];
    else this.#ended.push(seq);
  }

  #count(before: Step | undefined, after: Step | undefined): void {
    this.#opened += isOpen(after) - isOpen(before);
    this.#passive += isWaiting(after) - isWaiting(before);
  }

  #put(step: Step): void {
    this.#steps.set(step.seq, step);
    this.#byId.set(step.id, step);
    const latest = this.latest(step.ref);
    if (latest === undefined || step.seq >= latest.seq) this.#latest.set(step.ref, step);
    const name = step.definition.taskReferenceName;
    const named = this.named(name);
    if (named === undefined || step.seq >= named.seq) this.#named.set(name, step);
  }
}

function isOpen(step: Step | undefined): number {
  return Number(step !== undefined && !isTerminal(step.status));
}

function isWaiting(step: Step | undefined): number {
  return Number(step !== undefined && isPassive(step));
}
