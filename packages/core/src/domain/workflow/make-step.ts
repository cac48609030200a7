/** New steps, as their types want them. */

import type { JsonObject, StepDefinition, TaskDefinition } from './definition.ts';
import { demandSize, oversize } from './document-size.ts';
import type { Draft } from './draft.ts';
import { outputOf } from './gathered-output.ts';
import type { Step, StepStatus } from './run.ts';
import { resolveInput } from './scope.ts';
import type { Reached } from './steps/step-type.ts';
import { taskSettings } from './task-settings.ts';

/** What a type says of its new step; the rest is told from where the flow has come to. */
export interface StepFields {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly status: StepStatus;
  readonly input: JsonObject;
  readonly output?: JsonObject;
  readonly definition?: StepDefinition;
  readonly domain?: string | undefined;
  readonly executed?: boolean;
  readonly startDelaySeconds?: number;
  readonly callbackAfterSeconds?: number;
  readonly reason?: string | undefined;
  readonly dueAt?: number | undefined;
  readonly subRunId?: string | undefined;
  readonly iteration?: number;
}

/** Adds the step of a node to a decision. */
export function addStep(draft: Draft, reached: Reached, fields: StepFields): Step {
  const { node, retryOf } = reached;
  const { now, run, context } = draft;
  // What a fork says of its branches is ours.
  if (fields.type !== 'FORK')
    demandSize(fields.input, context.limits.documents.stepInput, { run: run.id, step: fields.id });
  const begun = fields.status !== 'SCHEDULED';
  return draft.add(
    {
      id: fields.id,
      seq: draft.nextSeq,
      ref: `${node.ref}${reached.suffix}`,
      iteration: fields.iteration ?? reached.iteration,
      retryCount: retryOf === undefined ? 0 : retryOf.retryCount + 1,
      type: fields.type,
      name: fields.name,
      status: fields.status,
      definition: fields.definition ?? node.definition,
      input: fields.input,
      output: fields.output ?? {},
      domain: fields.domain,
      scheduledAt: now,
      firstScheduledAt: retryOf === undefined || reached.isWanted === true ? now : retryOf.firstScheduledAt,
      // Nobody began one that is skipped.
      startedAt: begun && fields.status !== 'SKIPPED' ? now : undefined,
      updatedAt: now,
      endedAt: fields.status === 'IN_PROGRESS' || !begun ? undefined : now,
      startDelaySeconds: fields.startDelaySeconds ?? 0,
      callbackAfterSeconds: fields.callbackAfterSeconds ?? 0,
      pollCount: 0,
      workerId: undefined,
      reason: fields.reason ?? reached.reason,
      retriedStepId: retryOf?.id,
      retried: false,
      executed: fields.executed ?? false,
      subRunId: fields.subRunId,
      dueAt: fields.dueAt,
      parentStepId: reached.parentStepId,
    },
    node,
  );
}

/** The input of a step that is reached: resolved, over that of the attempt before; what was given to it counts most. */
export function inputOf(
  draft: Draft,
  reached: Reached,
  stepId: string,
  task: TaskDefinition = taskSettings(reached.node.definition),
): JsonObject {
  const resolved = resolveInput(draft, reached.node.definition, task, stepId);
  return { ...reached.retryOf?.input, ...resolved, ...reached.input };
}

/** Seconds to wait before a step begins: after a failed attempt, or as its definition says. */
export function delayOf(reached: Reached): number {
  return reached.delaySeconds ?? reached.node.definition.startDelay ?? 0;
}

/**
 * Ends a step, with the output that has come unless another is given. One that is complete has no trouble to tell, whatever
 * the attempt before it said. One whose output is too large fails, and nothing is kept of it.
 */
export function endStep(draft: Draft, step: Step, status: StepStatus, fields: Partial<Step> = {}): Step {
  const reason = status === 'COMPLETED' ? undefined : step.reason;
  const output = fields.output ?? outputOf(draft, step);
  const ended = { endedAt: draft.now, dueAt: undefined, reason, ...fields, output, status };
  const trouble = output === step.output ? undefined : outputTrouble(draft, step, output);
  if (trouble === undefined) return draft.change(step, ended);
  const failed = status === 'CANCELED' ? status : 'FAILED_WITH_TERMINAL_ERROR';
  return draft.change(step, { ...ended, output: {}, reason: trouble, status: failed });
}

/** Why the output of a step is refused; undefined: it is small enough. */
export function outputTrouble({ context, run }: Draft, step: Step, output: JsonObject): string | undefined {
  return oversize(output, context.limits.documents.stepOutput, { run: run.id, step: step.id });
}

/** A value of an input or output as text; null and undefined: `null`, as Java writes it. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
