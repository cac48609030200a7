/** Circuit breakers as people look at and steer them. */

import {
  type Circuit,
  type CircuitOptions,
  closedCircuit,
  openByHand,
  validateCircuit,
} from '../domain/circuit.ts';
import { LineshaftError } from '../domain/errors.ts';
import { boundedText, timeOf } from '../domain/fields.ts';
import { didYouMean } from '../domain/suggest.ts';
import { validateKind } from '../domain/validate-job.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import { type CircuitFacts, type CircuitView, factsFrom, viewOf } from './circuit-facts.ts';

export interface OpenCircuitOptions {
  /** When probes begin: a Date, or an ISO 8601 text with a zone. Default: it stays open until it is closed. */
  readonly until?: Date | string;
  /** For people; 1 to 500 characters. Default `opened by hand`. */
  readonly reason?: string;
}

export class CircuitBook {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(pool: Pool, statements: BoundStatements) {
    this.pool = pool;
    this.statements = statements;
  }

  async list(): Promise<CircuitView[]> {
    return (await this.facts()).map(viewOf);
  }

  /** @throws LineshaftError CIRCUIT_NOT_FOUND */
  async show(kind: string): Promise<CircuitView> {
    return viewOf(await this.find(kind));
  }

  /** @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN */
  async set(kind: string, options: CircuitOptions): Promise<CircuitView> {
    return viewOf(await this.ensure(validateKind(kind), validateCircuit(options, 'circuit'), true));
  }

  /** @throws LineshaftError OPTION_INVALID */
  async open(kind: string, { until, reason }: OpenCircuitOptions): Promise<CircuitView> {
    const untilMs = until === undefined ? undefined : timeOf(until, 'until').getTime();
    const why = reason === undefined ? 'opened by hand' : boundedText(reason, 'reason', 1, 500);
    const facts = await this.ensure(validateKind(kind), null, false);
    return await this.change(facts, (circuit, nowMs) => openByHand(circuit, untilMs, why, nowMs));
  }

  /** @throws LineshaftError CIRCUIT_NOT_FOUND */
  async close(kind: string): Promise<CircuitView> {
    return await this.change(await this.find(kind), ({ round }, nowMs) => closedCircuit(nowMs, round));
  }

  /** @throws LineshaftError CIRCUIT_NOT_FOUND */
  async reset(kind: string): Promise<CircuitView> {
    await this.find(kind);
    const facts = await this.ensure(kind, null, true);
    return await this.change(facts, ({ round }, nowMs) => closedCircuit(nowMs, round));
  }

  private async facts(): Promise<CircuitFacts[]> {
    const rows = await this.pool.query<{ facts: unknown }>(this.statements.listCircuits);
    return rows.map((row) => factsFrom(row.facts));
  }

  private async ensure(
    kind: string,
    settings: CircuitOptions | null,
    replace: boolean,
  ): Promise<CircuitFacts> {
    const [row] = await this.pool.query<{ facts: unknown }>(this.statements.setCircuit, [
      kind,
      settings === null ? null : JSON.stringify(settings),
      replace,
    ]);
    return factsFrom(row?.facts);
  }

  private async find(kind: string): Promise<CircuitFacts> {
    const all = await this.facts();
    const found = all.find((facts) => facts.kind === kind);
    if (found !== undefined) return found;
    const meant = didYouMean(
      kind,
      all.map((facts) => facts.kind),
    );
    throw new LineshaftError('CIRCUIT_NOT_FOUND', {
      message: `the kind '${kind}' has no circuit breaker${meant}`,
      details: { kind },
    });
  }

  /** Workers change it too, so it may take a few turns until nobody was before us. */
  private async change(
    from: CircuitFacts,
    step: (circuit: Circuit, nowMs: number) => Circuit,
  ): Promise<CircuitView> {
    let facts = from;
    for (;;) {
      const decided = step(facts.circuit, facts.nowMs);
      const values = [facts.kind, facts.version, JSON.stringify(decided), true];
      const [row] = await this.pool.query<{ changed: { applied: boolean; facts: CircuitFacts | null } }>(
        this.statements.changeCircuit,
        values,
      );
      if (row?.changed.facts == null) return viewOf(await this.find(facts.kind));
      facts = factsFrom(row.changed.facts);
      if (row.changed.applied) return viewOf(facts);
    }
  }
}
