/** What somebody wants of a run, and hears about once. */

import { isLineshaftError } from '../domain/errors.ts';
import type { DecideContext, Decision, RunEvent } from '../domain/workflow/decision.ts';
import type { Run } from '../domain/workflow/run.ts';
import type { RunState } from '../domain/workflow/state.ts';
import type { EndingStep, StepTaker } from './step-runs.ts';

/** Decides about a run as it is at this moment; throws where what was asked for can't be done. */
export type DecideWith = (state: RunState, context: DecideContext) => Decision;

/** Who asks, and hears of it. */
interface Asker {
  readonly resolve: (run: Run) => void;
  readonly reject: (error: unknown) => void;
}

/** Those that were not answered yet, of all who ask the same. */
export interface OpenRequests {
  count: number;
}

export interface Asked {
  /** What has happened to it. Default: what `ending` says; nothing. */
  readonly events?: readonly RunEvent[];
  /** Is asked instead. */
  readonly decideWith?: DecideWith;
  /** Marks that say the events. */
  readonly marks?: readonly number[];
  /** The job whose end this tells: it ends in the same write, or is left to its worker. */
  readonly ending?: EndingStep;
  /** May be given what follows on that job. */
  readonly taker?: StepTaker;
  /** What is in memory may be older than what the database has, and must not be relied on. Default false. */
  readonly verify?: boolean;
}

const nothing: readonly never[] = [];

export class Request {
  readonly runId: string;
  readonly events: readonly RunEvent[];
  readonly decideWith: DecideWith | undefined;
  readonly marks: readonly number[];
  readonly ending: EndingStep | undefined;
  readonly taker: StepTaker | undefined;
  verify: boolean;
  /** How often others were faster. */
  tries = 0;
  private readonly asker: Asker | undefined;
  private readonly open: OpenRequests;
  private answered = false;

  /** @param asker undefined: nobody but the worker of `ending` */
  constructor(runId: string, asked: Asked, open: OpenRequests, asker?: Asker) {
    this.runId = runId;
    this.events = asked.events ?? (asked.ending === undefined ? nothing : [asked.ending.event]);
    this.decideWith = asked.decideWith;
    this.marks = asked.marks ?? nothing;
    this.ending = asked.ending;
    this.taker = asked.taker;
    this.verify = asked.verify ?? false;
    this.asker = asker;
    this.open = open;
    open.count += 1;
  }

  /** What was asked for is written. */
  resolve(run: Run): void {
    if (!this.answer()) return;
    this.ending?.settle('written');
    this.asker?.resolve(run);
  }

  reject(error: unknown): void {
    if (!this.answer()) return;
    this.ending?.settle(isLineshaftError(error, 'DATABASE_UNAVAILABLE') ? 'unsure' : 'left');
    this.asker?.reject(error);
  }

  private answer(): boolean {
    if (this.answered) return false;
    this.answered = true;
    this.open.count -= 1;
    return true;
  }
}
