/**
 * One connection to the database that comes back by itself. The worker has two of them, so that a claim never
 * waits behind a flush. Statements are prepared by name where the connection is one's own; behind a pooler in
 * transaction mode (pgbouncer) they are sent unnamed, and LISTEN is not used.
 */

import type { Writable } from 'node:stream';
import pg from 'pg';
import { LineshaftError } from '../domain/errors.ts';
import { databaseError, isTransient } from './database-error.ts';

/** A statement as `statements.generated.ts` has it, bound to a schema. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export type Row = readonly (string | null)[];

export interface ConnectionSettings {
  readonly databaseUrl: string;
  readonly applicationName: string;
  /** Longest time that a statement may take before its connection is given up, in milliseconds. */
  readonly statementTimeoutMs: number;
}

/** What is known of the way to the database, shared by all sessions of a process. */
export class Route {
  readonly settings: ConnectionSettings;
  /** True once a pooler was recognised: it refuses startup options, or names another process than the server. */
  pooled = false;
  /** Statements that were sent, by name; those of transactions too, but not begin and commit. */
  readonly sent = new Map<string, number>();
  private asked = false;

  constructor(settings: ConnectionSettings) {
    this.settings = settings;
  }

  count(statement: Statement): void {
    const name = statement.name || 'unnamed';
    this.sent.set(name, (this.sent.get(name) ?? 0) + 1);
  }

  /** Opens a client; recognises a pooler by its refusal of startup options, and goes on without them. */
  async connect(plan: 'hot' | 'plain', timeoutMs = this.settings.statementTimeoutMs): Promise<pg.Client> {
    const { pooled } = this;
    try {
      return await this.open(plan, timeoutMs);
    } catch (error) {
      // Several connections may hear the refusal at the same time.
      if (!pooled && refusesOptions(error)) {
        this.pooled = true;
        return await this.open(plan, timeoutMs).catch((later: unknown) => {
          throw databaseError(later);
        });
      }
      throw databaseError(error);
    }
  }

  private async open(plan: 'hot' | 'plain', timeoutMs: number): Promise<pg.Client> {
    const { databaseUrl, applicationName } = this.settings;
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: applicationName,
      connectionTimeoutMillis: 10_000,
      query_timeout: timeoutMs,
      keepAlive: true,
      ...(this.pooled ? {} : { options: plan === 'hot' ? hotPlan : plainPlan }),
    });
    client.on('error', () => {});
    await client.connect();
    if (this.asked || this.pooled) return client;
    this.asked = true;
    if (await isPooled(client)) {
      this.pooled = true;
      await client.end();
      return await this.open(plan, timeoutMs);
    }
    return client;
  }
}

/**
 * The statements of the hot path are prepared when the tables may be empty and must stay good when they hold
 * millions of rows, so the planner is told to keep to the indexes that the statements were written for.
 */
const hotPlan =
  '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off ' +
  '-c enable_mergejoin=off -c enable_bitmapscan=off -c jit=off';
const plainPlan = '-c jit=off';

const atOnce = Promise.resolve();
/** To send a statement of a megabyte takes a tenth of it. */
const sendingMostMs = 50;
const rawTypes = { getTypeParser: () => (value: string) => value };

export class Session {
  private readonly route: Route;
  private readonly plan: 'hot' | 'plain';
  /** After so long without an answer to a statement the connection is given up. */
  readonly timeoutMs: number;
  private client: pg.Client | undefined;
  private connecting: Promise<pg.Client> | undefined;
  private closed = false;
  private busy: Promise<void> | undefined;
  private sending: Promise<void> | undefined;
  private onSent: (() => void) | undefined;
  /** How often it has connected; a growing number tells that the connection was lost in between. */
  connections = 0;
  /** When it connected last, by the monotonic clock of this process; undefined while it is not connected. */
  connectedAtMs: number | undefined;

  /** @param timeoutMs after which a statement's connection is given up; default: that of the route */
  constructor(route: Route, plan: 'hot' | 'plain', timeoutMs?: number) {
    this.route = route;
    this.plan = plan;
    this.timeoutMs = timeoutMs ?? route.settings.statementTimeoutMs;
  }

  /** Whether anything is under way on the connection, or waits for it. */
  get isBusy(): boolean {
    return this.busy !== undefined;
  }

  /**
   * Resolves when what was asked for has left this process, or the connection is given up; where the other end takes nothing in,
   * after 50 ms. A statement that is larger than the buffer of the socket goes in pieces, one each time that the event loop
   * comes round: who keeps it busy meanwhile keeps the database waiting for the rest.
   */
  sent(): Promise<void> {
    const { client } = this;
    if (client === undefined) return atOnce;
    const { stream } = (client as unknown as { readonly connection: { readonly stream: Writable } })
      .connection;
    if (!stream.writableNeedDrain) return atOnce;
    this.sending ??= this.untilSent(stream);
    return this.sending;
  }

  /** Once it has taken too long nobody waits for the same piece again. */
  private untilSent(stream: Writable): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, sendingMostMs);
      const done = (): void => {
        clearTimeout(timer);
        this.sending = undefined;
        this.onSent = undefined;
        stream.off('drain', done);
        resolve();
      };
      this.onSent = done;
      stream.once('drain', done);
    });
  }

  /**
   * Runs a statement; rows are arrays of texts. Retries after deadlocks, never after a lost connection.
   * @param timeoutMs in place of that of the session
   */
  query(statement: Statement, values: readonly unknown[] = [], timeoutMs?: number): Promise<Row[]> {
    return this.exclusively(() => this.run(statement, values, timeoutMs));
  }

  /** Runs statements in one transaction. On an error it is rolled back and the error thrown. */
  transaction<Result>(work: (run: Session['query']) => Promise<Result>): Promise<Result> {
    return this.exclusively(() => this.runTransaction(work));
  }

  /** One thing at a time on the connection, in the order of the calls. */
  private exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.busy === undefined) {
      const first = work();
      this.hold(first);
      return first;
    }
    const next = this.busy.then(work);
    this.hold(next);
    return next;
  }

  private hold(work: Promise<unknown>): void {
    const held: Promise<void> = work.then(
      () => this.letGo(held),
      () => this.letGo(held),
    );
    this.busy = held;
  }

  private letGo(held: Promise<void>): void {
    if (this.busy === held) this.busy = undefined;
  }

  private async run(
    statement: Statement,
    values: readonly unknown[],
    timeoutMs: number | undefined,
  ): Promise<Row[]> {
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.ready();
      this.route.count(statement);
      try {
        const result = await client.query({
          text: statement.text,
          values: values as unknown[],
          rowMode: 'array',
          types: rawTypes,
          ...(timeoutMs === undefined ? {} : { query_timeout: timeoutMs }),
          ...(this.route.pooled || statement.name === '' ? {} : { name: statement.name }),
        });
        return result.rows as Row[];
      } catch (error) {
        const failure = this.judge(client, error);
        if (attempt < 5 && isTransient(failure)) continue;
        throw failure;
      }
    }
  }

  private async runTransaction<Result>(work: (run: Session['query']) => Promise<Result>): Promise<Result> {
    const client = await this.ready();
    const run: Session['query'] = async (statement, values = []) => {
      this.route.count(statement);
      const result = await client.query({
        text: statement.text,
        values: values as unknown[],
        rowMode: 'array',
        types: rawTypes,
        ...(this.route.pooled || statement.name === '' ? {} : { name: statement.name }),
      });
      return result.rows as Row[];
    };
    try {
      await client.query('begin');
      const result = await work(run);
      await client.query('commit');
      return result;
    } catch (error) {
      const failure = this.judge(client, error);
      if (this.client === client) await client.query('rollback').catch(() => this.drop(client));
      throw failure;
    }
  }

  /** Whether there is a pooler in transaction mode on the way: then nothing may be kept in the session. */
  get pooled(): boolean {
    return this.route.pooled;
  }

  /** Listens on a channel until the connection is lost; `onEnd` says that it was. Not behind a pooler. */
  async listen(channel: string, onMessage: (payload: string) => void, onEnd: () => void): Promise<void> {
    const client = await this.ready();
    client.on('notification', (message) => onMessage(message.payload ?? ''));
    client.once('end', onEnd);
    await this.query({ name: '', text: `listen ${pg.escapeIdentifier(channel)}` });
  }

  async close(): Promise<void> {
    this.closed = true;
    const client = this.client ?? (await this.connecting?.catch(() => undefined));
    this.client = undefined;
    this.onSent?.();
    await client?.end().catch(() => {});
  }

  private async ready(): Promise<pg.Client> {
    if (this.closed)
      throw new LineshaftError('CLOSED', { message: 'the connection to the database was closed' });
    if (this.client !== undefined) return this.client;
    this.connecting ??= this.connect().finally(() => {
      this.connecting = undefined;
    });
    return await this.connecting;
  }

  private async connect(): Promise<pg.Client> {
    const client = await this.route.connect(this.plan, this.timeoutMs);
    if (this.closed) {
      await client.end().catch(() => {});
      throw new LineshaftError('CLOSED', { message: 'the connection to the database was closed' });
    }
    this.client = client;
    this.connections += 1;
    this.connectedAtMs = performance.now();
    client.once('end', () => this.drop(client));
    return client;
  }

  private judge(client: pg.Client, error: unknown): LineshaftError {
    const failure = databaseError(error);
    if (failure.code === 'DATABASE_UNAVAILABLE') this.drop(client);
    return failure;
  }

  private drop(client: pg.Client): void {
    if (this.client !== client) return;
    this.client = undefined;
    this.connectedAtMs = undefined;
    this.onSent?.();
    client.end().catch(() => {});
  }
}

/** A pooler names a process of its own when one connects; the server's is another. */
async function isPooled(client: pg.Client): Promise<boolean> {
  const told = (client as { processID?: unknown }).processID;
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return typeof told === 'number' && rows[0]?.pid !== told;
}

function refusesOptions(error: unknown): boolean {
  const message = error instanceof Error ? error.message : '';
  return message.includes('unsupported startup parameter');
}
