/**
 * Goes on with runs: with those whose steps this process has done, at once; with those that time changes, when it does; and
 * with those that another process has left behind, when nobody has decided on their marks for a second. What it loses by a
 * lost database is in the marks, for whoever looks next.
 */

import type { Clock } from '../domain/clock.ts';
import { isLineshaftError } from '../domain/errors.ts';
import type { Evaluation, RunEvent } from '../domain/workflow/decision.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import type { Evaluator } from './evaluator.ts';
import type { HandOver } from './hand-over.ts';
import type { OpenSteps } from './open-steps.ts';
import { stepNotFound } from './run-book.ts';
import type { RunStore } from './run-store.ts';
import type { Runs } from './runs.ts';
import type { ClaimedStep, EndedStep, EndingStep, StepRuns, StepTaker } from './step-runs.ts';

export interface AdvancerParts {
  readonly runs: () => Runs;
  readonly store: RunStore;
  readonly openSteps: OpenSteps;
  readonly evaluator: Evaluator;
  readonly handOver: HandOver;
  readonly clock: Clock;
  /** The time of the database, as far as this process knows it. */
  readonly now: () => number;
  readonly onTrouble: (what: string, error: unknown) => void;
}

/** Runs that are taken up at once. */
const dueMost = 200;
/** So often as many are taken up at once. */
const aroundMost = 5;
/** Looks after one that came too early: within 155 ms. */
const earlyTries = 5;

export class Advancer implements Omit<StepRuns, 'startScheduled' | 'indexRuns' | 'redact' | 'prunePayloads'> {
  private readonly parts: AdvancerParts;
  /** When the earliest run that was written here is to be looked at, by the database's clock. */
  private wakeAt = Number.POSITIVE_INFINITY;
  private takeBackTimer: (() => void) | undefined;
  private evaluating = 0;
  private around = false;
  private lookingAround = false;
  private closed = false;

  constructor(parts: AdvancerParts) {
    this.parts = parts;
  }

  get backlog(): number {
    return this.parts.runs().backlog + this.evaluating;
  }

  ended(steps: readonly EndedStep[]): void {
    const byRun = new Map<string, { events: RunEvent[]; marks: number[] }>();
    for (const { runId, event, mark } of steps) {
      if ('stepId' in event && event.stepId !== undefined) this.parts.openSteps.forget(event.stepId);
      const told = byRun.get(runId);
      if (told === undefined) byRun.set(runId, { events: [event], marks: [mark] });
      else {
        told.events.push(event);
        told.marks.push(mark);
      }
    }
    for (const [runId, { events, marks }] of byRun)
      this.forget('advance', this.parts.runs().tell(runId, events, marks));
  }

  claimed(steps: readonly ClaimedStep[]): void {
    for (const { jobId, sentText, payload } of steps)
      if (payload === undefined) this.parts.openSteps.expect(jobId, sentText);
  }

  inputOf({
    jobId: stepId,
    sentText,
    payload,
  }: ClaimedStep): string | JsonObject | Promise<string | JsonObject> {
    const input = payload ?? this.parts.openSteps.inputOf(stepId, sentText);
    return input instanceof Promise
      ? input.then((read) => this.handedOver(stepId, read))
      : this.handedOver(stepId, input);
  }

  end(steps: readonly EndingStep[], taker: StepTaker): void {
    const runs = this.parts.runs();
    for (const step of steps) {
      const runId = step.runId ?? this.parts.openSteps.runOf(step.stepId);
      // Read by a worker that has been given another one's steps meanwhile, or too many since.
      if (runId === undefined || this.closed) step.settle('left');
      else runs.end(runId, step, taker);
    }
  }

  /** Which secrets an input asks for is told by the definition of its step. */
  private handedOver(stepId: string, input: string | JsonObject): string | JsonObject | Promise<string> {
    const { store, handOver } = this.parts;
    if (!handOver.hasSecrets) return input;
    if (!handOver.concerns(typeof input === 'string' ? input : JSON.stringify(input))) return input;
    return store.steps([stepId]).then(([found]) => {
      if (found === undefined) throw stepNotFound(stepId);
      return JSON.stringify(handOver.inputOf(found.step));
    });
  }

  /** Looks at runs that have heard something. */
  look(runIds: readonly string[]): void {
    for (const runId of runIds) this.forget('advance', this.parts.runs().look(runId));
  }

  /** Runs may have been admitted under the limits of their workflows: their marks are taken up at once. */
  lookAround(): void {
    this.around = true;
    if (this.lookingAround || this.closed) return;
    this.lookingAround = true;
    const looked = this.lookWhileAsked().finally(() => {
      this.lookingAround = false;
    });
    this.forget('admit', looked);
  }

  /** What is asked for meanwhile goes together in the next look. */
  private async lookWhileAsked(): Promise<void> {
    while (this.around && !this.closed) {
      this.around = false;
      // Where more are due than that, they are taken up as well; what can't go on now is left to the service.
      for (let n = 0; n < aroundMost; n += 1) {
        const due = await this.parts.store.due(dueMost);
        await Promise.all(due.map((runId) => this.tryLook(runId)));
        if (due.length < dueMost) break;
      }
    }
  }

  async advanceDue(): Promise<number> {
    if (this.closed) return 0;
    const due = await this.parts.store.due(dueMost);
    await Promise.all(due.map((runId) => this.tryLook(runId)));
    if (due.length > 0 && !this.closed) await this.parts.store.tidyDue(due);
    return due.length;
  }

  /** A run that was written here is to be looked at by then, ms since 1970 by the database's clock. */
  expect(wakeAt: number): void {
    if (this.closed || wakeAt >= this.wakeAt) return;
    this.wakeAt = wakeAt;
    this.takeBackTimer?.();
    const inMs = Math.max(wakeAt - this.parts.now(), 0) + 1;
    this.takeBackTimer = this.parts.clock.after(
      inMs,
      () => {
        this.wakeAt = Number.POSITIVE_INFINITY;
        this.forget('advance', this.takeUp(0));
      },
      true,
    );
  }

  /** Takes up what is due. The clocks differ by a few ms, so a look that finds nothing may have come too early. */
  private async takeUp(tries: number): Promise<void> {
    if ((await this.advanceDue()) > 0 || tries >= earlyTries || this.closed) return;
    const again = (): void => this.forget('advance', this.takeUp(tries + 1));
    this.parts.clock.after(5 * 2 ** tries, again, true);
  }

  /** Evaluates what a run asks for, and tells it. */
  evaluate(runId: string, evaluations: readonly Evaluation[]): void {
    this.evaluating += 1;
    const answered = this.parts.evaluator.evaluate(evaluations).then(async (answers) => {
      // What a process that ends has not evaluated is asked again by whoever looks next.
      if (this.closed) return;
      const events = answers.flatMap((result, place): RunEvent[] => {
        const asked = evaluations[place];
        return asked === undefined
          ? []
          : [{ type: 'evaluated', stepId: asked.stepId, round: asked.round, result }];
      });
      await this.parts.runs().tell(runId, events);
    });
    this.forget(
      'evaluate',
      answered.finally(() => {
        this.evaluating -= 1;
      }),
    );
  }

  /** The database refuses what was decided about a run: it ends, rather than that everybody tries again for ever. */
  giveUp(runId: string, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.parts.onTrouble('write', error);
    const event: RunEvent = {
      type: 'terminate',
      reason: `What follows could not be written: ${why}`.slice(0, 500),
    };
    this.forget('give up', this.parts.runs().tell(runId, [event]));
  }

  close(): void {
    this.closed = true;
    this.takeBackTimer?.();
  }

  private async tryLook(runId: string): Promise<void> {
    try {
      await this.parts.runs().look(runId);
    } catch (error) {
      this.missed('advance', error);
    }
  }

  private forget(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => this.missed(what, error));
  }

  private missed(what: string, error: unknown): void {
    // It was removed, or everything is about to end.
    if (isLineshaftError(error, 'RUN_NOT_FOUND') || isLineshaftError(error, 'CLOSED') || this.closed) return;
    this.parts.onTrouble(what, error);
  }
}
