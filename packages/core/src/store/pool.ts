/** Queries that people and house-keeping make, beside the hot path: a small pool, rows as objects with parsed values. */

import type pg from 'pg';
import { LineshaftError } from '../domain/errors.ts';
import { databaseError, isTransient } from './database-error.ts';
import type { Route, Statement } from './session.ts';

const connectionsMax = 4;

export class Pool {
  private readonly route: Route;
  private readonly idle: pg.Client[] = [];
  private readonly waiting: ((client: pg.Client | undefined) => void)[] = [];
  private open = 0;
  private closed = false;

  constructor(route: Route) {
    this.route = route;
  }

  /** Rows as objects; bigint as text, JSON parsed, times as Dates. */
  async query<Result = Record<string, unknown>>(
    statement: Statement,
    values: readonly unknown[] = [],
  ): Promise<Result[]> {
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.acquire();
      let failure: LineshaftError | undefined;
      this.route.count(statement);
      try {
        const result = await client.query({
          text: statement.text,
          values: values as unknown[],
          ...(this.route.pooled || statement.name === '' ? {} : { name: statement.name }),
        });
        return result.rows as Result[];
      } catch (error) {
        failure = databaseError(error);
        if (attempt >= 5 || !isTransient(failure)) throw failure;
      } finally {
        this.release(client, failure?.code === 'DATABASE_UNAVAILABLE');
      }
    }
  }

  /** Lends a client for several statements in a row, as a migration needs. */
  async withClient<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const client = await this.acquire();
    let broken = true;
    try {
      const result = await work(client);
      broken = false;
      return result;
    } catch (error) {
      throw databaseError(error);
    } finally {
      this.release(client, broken);
    }
  }

  /** Runs statements in one transaction; on an error it is rolled back and the error thrown as it is. */
  async transaction<Result>(work: (run: Pool['query']) => Promise<Result>): Promise<Result> {
    const client = await this.acquire();
    const run: Pool['query'] = async <Row>(statement: Statement, values: readonly unknown[] = []) => {
      this.route.count(statement);
      try {
        return (await client.query(statement.text, [...values])).rows as Row[];
      } catch (error) {
        throw databaseError(error);
      }
    };
    let broken = true;
    try {
      await run(plain('begin'));
      const result = await work(run);
      await run(plain('commit'));
      broken = false;
      return result;
    } finally {
      // A connection that is closed is rolled back by the server.
      this.release(client, broken);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const waiting of this.waiting.splice(0)) waiting(undefined);
    await Promise.all(this.idle.splice(0).map((client) => client.end().catch(() => {})));
  }

  private async acquire(): Promise<pg.Client> {
    if (this.closed) throw closedError();
    const idle = this.idle.pop();
    if (idle !== undefined) return idle;
    if (this.open >= connectionsMax) {
      const handed = await new Promise<pg.Client | undefined>((resolve) => this.waiting.push(resolve));
      if (handed !== undefined) return handed;
      if (this.closed) throw closedError();
    }
    this.open += 1;
    try {
      const client = await this.route.connect('plain');
      client.once('end', () => this.forget(client));
      return client;
    } catch (error) {
      this.open -= 1;
      this.waiting.shift()?.(undefined);
      throw error;
    }
  }

  private release(client: pg.Client, broken: boolean): void {
    if (broken || this.closed) {
      client.end().catch(() => {});
      this.open -= 1;
      this.waiting.shift()?.(undefined);
      return;
    }
    const next = this.waiting.shift();
    if (next === undefined) this.idle.push(client);
    else next(client);
  }

  private forget(client: pg.Client): void {
    const place = this.idle.indexOf(client);
    if (place < 0) return;
    this.idle.splice(place, 1);
    this.open -= 1;
  }
}

function plain(text: string): Statement {
  return { name: '', text };
}

function closedError(): LineshaftError {
  return new LineshaftError('CLOSED', { message: 'the connection to the database was closed' });
}
