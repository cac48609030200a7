/** What waits for workers, by kind and domain: how much, and letting it be looked at again. */

import { stepKind, stepName } from '../domain/workflow/step-kind.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';

export class StepQueues {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(parts: { readonly pool: Pool; readonly statements: BoundStatements }) {
    this.pool = parts.pool;
    this.statements = parts.statements;
  }

  /**
   * How many steps wait, also for their time, by the name of their queue: the kind, or `domain:kind`. Steps that somebody has
   * do not count. With names each of them is there, 0 where nothing waits; else those with something.
   */
  async sizes(names?: readonly string[]): Promise<Map<string, number>> {
    const kinds = names?.flatMap((name) => [name, ...kindsIn(name)].flatMap((kind) => stepKind(kind) ?? []));
    const rows = await this.pool.query<SizeRow>(this.statements.stepQueueSizes, [kinds ?? null]);
    const sizes = new Map(
      rows.map((row) => [queueName(stepName(row.kind), row.domain), Number(row.waiting)]),
    );
    if (names === undefined) return new Map([...sizes].sort(([a], [b]) => (a < b ? -1 : 1)));
    return new Map(names.map((name) => [name, sizes.get(name) ?? 0]));
  }

  /**
   * Has the steps of a kind looked at again by all who may have them. Nothing can be missing from its queue, so this changes
   * nothing but the time of the next look. Returns how many wait.
   */
  async requeue(kind: string): Promise<number> {
    const [row] = await this.pool.query<{ waiting: string }>(this.statements.wakeKind, [
      stepKind(kind) ?? '',
    ]);
    return Number(row?.waiting ?? 0);
  }
}

interface SizeRow {
  readonly kind: string;
  readonly domain: string | null;
  readonly waiting: string;
}

/** The name of the queue of a kind and a domain, as workers and dashboards know it. */
export function queueName(kind: string, domain: string | null | undefined): string {
  return domain == null ? kind : `${domain}:${kind}`;
}

/** The kinds that a name may speak of, if it is `domain:kind`: both parts may have colons. */
function kindsIn(name: string): string[] {
  const parts = name.split(':');
  return parts.slice(1, 10).map((_part, n) => parts.slice(n + 1).join(':'));
}
