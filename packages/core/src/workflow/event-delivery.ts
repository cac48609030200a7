/**
 * Delivers the messages of EVENT steps to the handlers of their events: conditions, templates, actions. Any process may do it;
 * who takes a message has it for a while, and if he dies others take it then. A run that a message starts has an id that is
 * made of the message, and a step that has ended takes no second report: so what is done twice has one effect.
 */

import { createHash } from 'node:crypto';
import { isLineshaftError } from '../domain/errors.ts';
import type { Evaluated } from '../domain/workflow/decision.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import {
  type EventMessage,
  expandJson,
  isYes,
  type PlannedAction,
  planAction,
} from '../domain/workflow/event-action.ts';
import { javaText } from '../domain/workflow/java-text.ts';
import type { StartRequest } from '../domain/workflow/run.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Evaluator } from './evaluator.ts';
import type { StepOfRun, StepReport } from './port.ts';
import type { EventAction, EventHandler } from './port-books.ts';

export interface EventDeliveryParts {
  readonly pool: Pool;
  readonly statements: BoundStatements;
  readonly evaluator: Pick<Evaluator, 'evaluate'>;
  /** Starts a run under this id; in order where it was started before. */
  readonly start: (request: StartRequest, runId: string) => Promise<void>;
  readonly report: (report: StepReport) => Promise<StepOfRun | undefined>;
  readonly reportByRef: (
    runId: string,
    ref: string,
    report: Omit<StepReport, 'stepId'>,
  ) => Promise<StepOfRun | undefined>;
}

interface TakenMessage extends EventMessage {
  readonly attempts: number;
  readonly handlers: readonly EventHandler[];
}

interface Execution {
  readonly handler: string;
  readonly action: number;
  readonly event: string;
  readonly type: string | null;
  readonly status: 'COMPLETED' | 'FAILED' | 'SKIPPED';
  readonly output: JsonObject;
}

const batch = 50;
/** So long a message is the business of who has taken it. */
const takenMs = 60_000;
/** After so many attempts an action that can't be done for now has failed. */
const attemptsMost = 20;
const pauseMaxMs = 300_000;
/** What was done with messages is remembered for a week. */
const rememberedMs = 604_800_000;
const pruneMost = 5_000;
const pruneEveryMs = 600_000;
const busyLookMs = 1_000;

export class EventDelivery {
  private readonly parts: EventDeliveryParts;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private prunedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: EventDeliveryParts) {
    this.parts = parts;
  }

  /** As `deliver`; while there is other work it looks once a second, so that busy runs do not pay for events they have none of. */
  async deliverBeside(others: number): Promise<number> {
    if (others > 0 && performance.now() < this.lookedAtMs + busyLookMs) return 0;
    return await this.deliver();
  }

  /** Delivers what is due. @returns how many messages; fewer than were due where others take them */
  async deliver(): Promise<number> {
    const { pool, statements } = this.parts;
    this.lookedAtMs = performance.now();
    const taken = await pool.query<TakenMessage>(statements.takeEventMessages, [batch, takenMs]);
    await Promise.all(taken.map((message) => this.deliverOne(message)));
    if (taken.length > 0) await this.prune();
    return taken.length;
  }

  private async deliverOne(message: TakenMessage): Promise<void> {
    const { pool, statements } = this.parts;
    const executions: Execution[] = [];
    let transient = false;
    for (const handler of message.handlers) {
      const done = await this.handle(handler, message);
      executions.push(...done.executions);
      transient ||= done.transient;
    }
    if (transient && message.attempts < attemptsMost) {
      const pauseMs = Math.min(1_000 * 2 ** (message.attempts - 1), pauseMaxMs);
      await pool.query(statements.delayEventMessage, [message.id, pauseMs]);
      return;
    }
    await pool.query(statements.finishEventMessage, [message.id, JSON.stringify(executions)]);
  }

  private async handle(
    handler: EventHandler,
    message: TakenMessage,
  ): Promise<{ readonly executions: readonly Execution[]; readonly transient: boolean }> {
    const { name, event, condition = '' } = handler;
    const told = { handler: name, event, action: 0, type: null };
    if (condition !== '') {
      const answer = await this.holds(condition, message.payload);
      if (!answer.ok) {
        const output = { exception: answer.message, condition };
        return { executions: [{ ...told, status: 'FAILED', output }], transient: !answer.terminal };
      }
      if (!isYes(answer.value)) {
        const output = { msg: JSON.stringify(message.payload), condition };
        return { executions: [{ ...told, status: 'SKIPPED', output }], transient: false };
      }
    }
    const executions: Execution[] = [];
    let transient = false;
    for (const [place, action] of handler.actions.entries()) {
      const done = await this.act(handler, place, action, message);
      executions.push({
        ...told,
        action: place,
        type: action.action,
        status: done.status,
        output: done.output,
      });
      transient ||= done.transient;
    }
    return { executions, transient };
  }

  private async holds(condition: string, payload: unknown): Promise<Evaluated> {
    const [answer] = await this.parts.evaluator.evaluate([
      { language: 'javascript', expression: condition, body: false, input: expandJson(payload) },
    ]);
    return answer ?? { ok: false, message: 'the condition has no answer', terminal: false };
  }

  private async act(
    handler: EventHandler,
    place: number,
    action: EventAction,
    message: EventMessage,
  ): Promise<{
    readonly status: 'COMPLETED' | 'FAILED';
    readonly output: JsonObject;
    readonly transient: boolean;
  }> {
    try {
      const output = await this.perform(
        planAction(action, message),
        runIdOf(message.id, handler.name, place),
      );
      return { status: 'COMPLETED', output, transient: false };
    } catch (error) {
      const transient = isLineshaftError(error) && error.retryable;
      return { status: 'FAILED', output: { exception: (error as Error).message }, transient };
    }
  }

  private async perform(planned: PlannedAction, runId: string): Promise<JsonObject> {
    if (planned.type === 'unknown') throw new Error(planned.reason);
    if (planned.type === 'start') {
      await this.parts.start(planned.request, runId);
      return { workflowId: runId };
    }
    const { status, output, reason, stepId } = planned;
    const report = { status, output, ...(reason === undefined ? {} : { reason }) };
    const found = await this.reported(planned, report);
    if (found) return output;
    const text = (value: unknown) => javaText(value ?? null, 255);
    return {
      ...output,
      error:
        `No task found with taskId: ${text(stepId)}, reference name: ${text(planned.ref)}, ` +
        `workflowId: ${text(planned.runId)}`,
    };
  }

  private async reported(
    planned: Extract<PlannedAction, { type: 'report' }>,
    report: Omit<StepReport, 'stepId'>,
  ): Promise<boolean> {
    const { stepId, runId, ref } = planned;
    try {
      if (stepId !== undefined) {
        await this.parts.report({ ...report, stepId });
        return true;
      }
      if (runId === undefined || ref === undefined) return false;
      return (await this.parts.reportByRef(runId, ref, report)) !== undefined;
    } catch (error) {
      if (isLineshaftError(error, 'STEP_NOT_FOUND') || isLineshaftError(error, 'RUN_NOT_FOUND')) return false;
      throw error;
    }
  }

  private async prune(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs < this.prunedAtMs + pruneEveryMs) return;
    this.prunedAtMs = nowMs;
    await this.parts.pool.query(this.parts.statements.pruneEventExecutions, [rememberedMs, pruneMost]);
  }
}

/** The id of the run that an action starts for a message: always the same, so that it starts once. */
function runIdOf(messageId: string, handler: string, place: number): string {
  const hash = createHash('sha256').update(`${messageId} ${place} ${handler}`).digest('hex');
  // The time of the message stays in front, as in all ids of runs (RFC 9562, version 7).
  const head = messageId.slice(0, 14);
  return `${head}7${hash.slice(0, 3)}-a${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}
