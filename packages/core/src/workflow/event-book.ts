/** Event handlers as data: keep, list, forget; and what was done with messages. */

import { LineshaftError } from '../domain/errors.ts';
import { didYouMean } from '../domain/suggest.ts';
import { validateEventHandler } from '../domain/workflow/validate-event-handler.ts';
import { withoutNulls } from '../domain/workflow/validate-task.ts';
import { refuseViolations } from '../domain/workflow/violation.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { EventHandler, EventHandlers } from './port-books.ts';

/** What an action did with a message. */
export interface EventExecution {
  readonly messageId: string;
  readonly action: number;
  readonly event: string;
  /** null: no action was done. */
  readonly type: string | null;
  readonly status: 'COMPLETED' | 'FAILED' | 'SKIPPED';
  readonly output: Readonly<Record<string, unknown>>;
  readonly at: Date;
}

export class EventBook implements EventHandlers {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(parts: { readonly pool: Pool; readonly statements: BoundStatements }) {
    this.pool = parts.pool;
    this.statements = parts.statements;
  }

  async put(document: EventHandler, how: 'create' | 'replace'): Promise<void> {
    refuseViolations('the event handler', validateEventHandler(document));
    const handler = withoutNulls(document);
    const { name, event, active = false } = handler;
    const values = [name, event, active, JSON.stringify({ active, ...handler }), how === 'create'];
    const rows = await this.pool.query(this.statements.putEventHandler, values);
    if (rows.length > 0) return;
    if (how === 'replace') throw await this.notFound(name);
    throw new LineshaftError('EVENT_HANDLER_EXISTS', {
      message: `EventHandler with name ${name} already exists!`,
      details: { name },
    });
  }

  async list(options: { event?: string; activeOnly?: boolean } = {}): Promise<EventHandler[]> {
    const { event = null, activeOnly = false } = options;
    if (event?.includes('\u0000') === true) return [];
    const rows = await this.pool.query<{ handler: EventHandler }>(this.statements.listEventHandlers, [
      event,
      activeOnly,
    ]);
    return rows.map(({ handler }) => handler);
  }

  async delete(name: string): Promise<void> {
    const rows = name.includes('\u0000')
      ? []
      : await this.pool.query(this.statements.deleteEventHandler, [name]);
    if (rows.length === 0) throw await this.notFound(name);
  }

  /** What was done with the last messages of a handler, the newest first. @param most 1 to 1,000 */
  async executions(handler: string, most = 100): Promise<EventExecution[]> {
    const rows = await this.pool.query<Omit<EventExecution, 'messageId'> & { message_id: string }>(
      this.statements.listEventExecutions,
      [handler, Math.min(Math.max(most, 1), 1_000)],
    );
    return rows.map(({ message_id, ...rest }) => ({ messageId: message_id, ...rest }));
  }

  private async notFound(name: string): Promise<LineshaftError> {
    const names = (await this.list()).map((handler) => handler.name);
    return new LineshaftError('EVENT_HANDLER_NOT_FOUND', {
      message: `EventHandler with name ${name} not found!${didYouMean(name, names)}`,
      details: { name },
    });
  }
}
