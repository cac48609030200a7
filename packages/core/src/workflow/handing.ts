/**
 * Steps that become ready by a write, and go to the worker that did the ones before them (`StepTaker`): jobs and lease are
 * written with the change of the run, so that they need no claim. A run goes on where it is at hand, its neighbours wait.
 */

import type { StepJob } from '../domain/workflow/decision.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import { stepKind } from '../domain/workflow/step-kind.ts';
import type { RunWork } from './run-work.ts';
import type { HandedStep, StepTaker } from './step-runs.ts';

interface Offered {
  readonly work: RunWork;
  readonly input: JsonObject;
  readonly lane: number;
  readonly sinceMs: number;
  rest: string | null;
}

/** Of a fork of many branches it is not asked for each: there is no room. */
const refusedMost = 16;

/** What `hand_steps` answers: null: all wait as others do. */
type Given = readonly [lease: string | null, createdMs: string | null];

export class Handing {
  /** Its row, under which the steps are leased. */
  readonly worker: string;
  private readonly taker: StepTaker;
  private readonly steps = new Map<string, Offered>();
  private given: Given | undefined;

  private constructor(taker: StepTaker) {
    this.taker = taker;
    this.worker = taker.worker;
  }

  /** What of these changes is handed on; undefined: nothing. */
  static of(works: readonly RunWork[]): Handing | undefined {
    let handing: Handing | undefined;
    for (const work of works) {
      if (!work.merged.hasJobs) continue;
      for (const { ending, taker } of work.requests) {
        if (ending === undefined || taker === undefined) continue;
        handing ??= new Handing(taker);
        if (taker === handing.taker) handing.ask(work, ending.sinceMs);
        break;
      }
    }
    return handing === undefined || handing.steps.size === 0 ? undefined : handing;
  }

  /** Lanes whose jobs go first, where they have a higher priority. */
  get before(): readonly number[] {
    return this.taker.before;
  }

  /** The lane by which a step is handed on; undefined: it waits. */
  laneOf(stepId: string): number | undefined {
    return this.steps.get(stepId)?.lane;
  }

  /** Told what the job of a step has beside its payload. */
  made(stepId: string, rest: string | null): void {
    const offered = this.steps.get(stepId);
    if (offered !== undefined) offered.rest = rest;
  }

  /** Whether a step has gone to the worker, now that it is written. */
  hasTaken(stepId: string): boolean {
    return this.given?.[0] != null && this.steps.has(stepId);
  }

  written(given: Given): void {
    this.given = given;
  }

  /** Nothing was written, or it is not known. */
  failed(): void {
    this.taker.leave(this.steps.size);
  }

  /** The worker gets what is its own. */
  deliver(): void {
    const [lease = null, createdMs = null] = this.given ?? [];
    if (lease === null || createdMs === null) {
      this.taker.refused([...this.steps.values()].map(({ lane }) => lane));
      return;
    }
    const handed: HandedStep[] = [];
    for (const [stepId, { work, input, lane, sinceMs, rest }] of this.steps)
      handed.push({ stepId, runId: work.runId, input, lane, payload: work.payload, rest, sinceMs });
    this.taker.take({ worker: this.worker, lease, createdMs }, handed);
  }

  private ask(work: RunWork, sinceMs: number): void {
    let ended = work.requests.reduce((sum, { ending }) => sum + Number(ending !== undefined), 0);
    let refused = 0;
    for (const job of work.merged.jobs) {
      if (!isPlain(job)) continue;
      const lane = this.taker.offer(stepKind(job.kind) ?? job.kind, sinceMs, ended > 0);
      if (lane === undefined) {
        refused += 1;
        if (refused < refusedMost) continue;
        return;
      }
      ended -= 1;
      this.steps.set(job.stepId, { work, input: job.payload, lane, sinceMs, rest: null });
    }
  }
}

/** Whether any worker that serves its kind may have it, at once. */
function isPlain({ again, delayMs, isLimited, domain }: StepJob): boolean {
  return !again && delayMs <= 0 && !isLimited && domain === undefined;
}
