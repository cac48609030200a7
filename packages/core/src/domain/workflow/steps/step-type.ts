/** What a type of step is to decisions. Types only; `registry.ts` has them all. */

import type { Node } from '../compile.ts';
import type { Evaluated } from '../decision.ts';
import type { JsonObject } from '../definition.ts';
import type { Draft } from '../draft.ts';
import type { Step } from '../run.ts';

/** The flow has come to a node. */
export interface Reached {
  readonly node: Node;
  /** The `__N` of the iterations in which it lies. */
  readonly suffix: string;
  readonly iteration: number;
  readonly parentStepId: string | undefined;
  /** The attempt before, which has failed. */
  readonly retryOf?: Step;
  /** Somebody wants it done again: the time of all attempts counts from now, and not from the first one. Default false. */
  readonly isWanted?: boolean;
  /** Of a retry. Default: the `startDelay` of the definition. */
  readonly delaySeconds?: number;
  /** Of a retry that comes by itself: why the attempt before failed, as long as this one has nothing to say itself. */
  readonly reason?: string | undefined;
  /** What counts more than the parameters: given by who reruns it, or to its JOIN by a dynamic fork. */
  readonly input?: JsonObject;
}

export interface StepType {
  /** Makes the step; one that needs nothing else has ended when this is over. */
  begin(draft: Draft, reached: Reached): void;
  /** A script or jq program that it asked for has a result. */
  evaluated?(draft: Draft, step: Step, result: Evaluated, round: number): void;
  /** Its `dueAt` has come. */
  due?(draft: Draft, step: Step): void;
  /** Something that it waits for inside the run has happened: a branch is done, an iteration may be over. */
  look?(draft: Draft, step: Step): void;
}
