/**
 * Messages to runs: kept until a PULL_WORKFLOW_MESSAGES step takes them, in the order in which they came. A message belongs to
 * the step that took it from then on, so that an attempt that is made again finds the same ones.
 */

import { LineshaftError } from '../domain/errors.ts';
import { payloadToText } from '../domain/payload-text.ts';
import { isUuid } from '../domain/uuid.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { StepOutcome } from './http-step.ts';
import type { StepOfRun, StepReport } from './port.ts';

export interface MessageBookParts {
  readonly pool: Pool;
  readonly statements: BoundStatements;
  readonly newId: () => string;
  readonly report: (report: StepReport) => Promise<StepOfRun | undefined>;
}

/** Messages that wait for a run. */
const waitingMost = 1_000;
const messageMaxBytes = 1_048_576;
/** Messages that one step takes. */
const batchMost = 100;

interface SentRow {
  /** null: there is no such run. */
  readonly status: string | null;
  readonly waiting: number;
  readonly sent: boolean;
}

interface PulledRow {
  readonly id: string;
  readonly run_id: string;
  readonly payload: unknown;
  readonly at: Date;
}

export class MessageBook {
  private readonly parts: MessageBookParts;

  constructor(parts: MessageBookParts) {
    this.parts = parts;
  }

  /**
   * Keeps a message for a run, and ends the step that waits for one.
   * @returns its id
   * @throws LineshaftError RUN_NOT_FOUND, RUN_STATE (it has ended), INBOX_FULL, PAYLOAD_INVALID, PAYLOAD_TOO_LARGE
   */
  async send(runId: string, message: Readonly<Record<string, unknown>>): Promise<string> {
    const { pool, statements, newId } = this.parts;
    const payload = payloadToText(message, messageMaxBytes, 'message');
    const id = newId();
    const [row] = isUuid(runId)
      ? await pool.query<SentRow>(statements.sendRunMessage, [runId, id, payload, waitingMost])
      : [];
    if (row === undefined || row.status === null) {
      throw new LineshaftError('RUN_NOT_FOUND', {
        message: `No such workflow found by id: ${runId.slice(0, 100)}`,
        details: { runId },
      });
    }
    if (!row.sent) throw refusal(runId, row);
    await this.wake(runId);
    return id;
  }

  /** How a step that takes messages ends: with those that wait, or it goes on until one comes. */
  async take(stepId: string, input: JsonObject): Promise<StepOutcome> {
    const { pool, statements } = this.parts;
    const size = Number(input['batchSize'] ?? 1);
    const most = Number.isFinite(size) ? Math.min(Math.max(Math.floor(size), 1), batchMost) : 1;
    const rows = await pool.query<PulledRow>(statements.takeRunMessages, [stepId, most]);
    if (rows.length === 0 && input['blocking'] !== false) return { status: 'IN_PROGRESS', output: {} };
    const messages = rows.map(({ id, run_id, payload, at }) => ({
      id,
      workflowId: run_id,
      payload,
      receivedAt: at.toISOString(),
    }));
    return { status: 'COMPLETED', output: { messages, count: messages.length } };
  }

  /** The first step that waits for a message gets what there is. */
  private async wake(runId: string): Promise<void> {
    const { pool, statements, report } = this.parts;
    const [step] = await pool.query<{ id: string; input: JsonObject }>(statements.pullingStep, [runId]);
    if (step === undefined) return;
    const outcome = await this.take(step.id, step.input);
    if (outcome.status === 'COMPLETED') await report({ stepId: step.id, ...outcome });
  }
}

function refusal(runId: string, row: SentRow): LineshaftError {
  if (row.waiting < waitingMost) {
    return new LineshaftError('RUN_STATE', {
      message: `run ${runId} is ${row.status}: messages are only for runs that go on`,
      details: { runId, status: row.status },
    });
  }
  return new LineshaftError('INBOX_FULL', {
    message: `${row.waiting} messages wait for run ${runId}; let it take some, and send this one again`,
    details: { runId, waiting: row.waiting },
  });
}
