/**
 * The producer: enqueues jobs and does nothing else. Small, and starts nothing in the background; connections are
 * opened by the first call.
 */

import { randomBytes } from 'node:crypto';
import type { Clock } from '../domain/clock.ts';
import { isLineshaftError, LineshaftError } from '../domain/errors.ts';
import type { EnqueueOptions, EnqueueRequest, EnqueueResult } from '../domain/job-options.ts';
import { checkPayload, type KindDefinition, type Kinds, requestDefaults } from '../domain/kinds.ts';
import { didYouMean } from '../domain/suggest.ts';
import { UuidSource } from '../domain/uuid.ts';
import { type RequestSettings, validateRequest } from '../domain/validate-job.ts';
import { type Log, standardErrorLog } from '../log.ts';
import type { Plugin } from '../plugin.ts';
import { Hooks } from '../plugins/hooks.ts';
import { Pool } from '../store/pool.ts';
import { checkSchemaName } from '../store/schema-name.ts';
import { Route, type Statement } from '../store/session.ts';
import { type BoundStatements, bindStatements } from '../store/statements.ts';
import { systemClock } from '../system-clock.ts';
import { AfterCommitWaker } from './after-commit.ts';
import {
  type CallerTransaction,
  enqueueWithin,
  type StatementsWithin,
  type StatementWithin,
} from './caller-transaction.ts';
import { bulkBatchMaxJobs, type PreparedJob } from './enqueue-batch.ts';
import { Enqueuer } from './enqueuer.ts';
import { Takers } from './takers.ts';

export type { CallerTransaction } from './caller-transaction.ts';

export interface ProducerOptions<PayloadMap extends object = Record<string, unknown>> {
  /** `postgresql://…`; a unix socket as `postgresql://user@/database?host=/folder`. Default: the environment's LINESHAFT_DATABASE_URL. */
  readonly databaseUrl?: string;
  /** The schema that holds everything. Default `lineshaft`. */
  readonly schema?: string;
  /** What is known of kinds: schemas, versions, pins; see `defineKinds`. */
  readonly kinds?: Kinds<PayloadMap>;
  /** The build of this program, for pinned kinds. Default `0.0.0`. */
  readonly build?: string;
  /** Largest payload in bytes. Default 1 MiB; the setting `payload_max_bytes` of the database holds besides. */
  readonly payloadMaxBytes?: number;
  /** Shown in `pg_stat_activity`. Default `lineshaft`. */
  readonly applicationName?: string;
  /** What is added to it, see `definePlugin`; hooks are called in this order. A producer calls their hook `enqueue` only. */
  readonly plugins?: readonly Plugin[];
  /** Where is said what happens. Default: text on standard error, from `info` on. */
  readonly log?: Log;
}

/** What the facade adds to a producer. */
export interface ProducerParts {
  readonly plugins: readonly Plugin[];
  readonly clock: Clock;
}

type PayloadArgument<Payload> = undefined extends Payload ? [payload?: Payload] : [payload: Payload];

/** The calls that enqueue, typed by the kinds that the caller defined. */
export interface Enqueueing<PayloadMap extends object> {
  /**
   * Enqueues a job; resolves when it is durable.
   * @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN, PAYLOAD_INVALID, PAYLOAD_TOO_LARGE, QUEUE_NOT_FOUND, PROJECT_NOT_FOUND, JOB_ID_CONFLICT
   * @example await lineshaft.enqueue('send-email', { to: 'ada@example.org' }, { delayMs: 60_000 })
   */
  enqueue<Kind extends Extract<keyof PayloadMap, string>>(
    kind: Kind,
    ...rest: [...PayloadArgument<PayloadMap[Kind]>, options?: EnqueueOptions]
  ): Promise<EnqueueResult>;
  /**
   * Enqueues many jobs, 100,000 in one call if need be. If one of them is refused by the checks none is written; they
   * are written in batches of 2,000, each all or nothing.
   */
  enqueueMany(requests: readonly RequestOf<PayloadMap>[]): Promise<EnqueueResult[]>;
}

type RequestOf<PayloadMap extends object> = {
  [Kind in Extract<keyof PayloadMap, string>]: EnqueueRequest<Kind, PayloadMap[Kind]>;
}[Extract<keyof PayloadMap, string>];

export class Producer<PayloadMap extends object = Record<string, unknown>> implements Enqueueing<PayloadMap> {
  readonly schema: string;
  protected readonly route: Route;
  protected readonly pool: Pool;
  protected readonly statements: BoundStatements;
  protected readonly build: string;
  protected readonly definitions: Readonly<Record<string, KindDefinition<unknown> | undefined>>;
  protected readonly ids: UuidSource;
  protected readonly log: Log;
  protected readonly hooks: Hooks;
  private readonly payloadMaxBytes: number | undefined;
  /** Workers of this process that may be handed what is enqueued here. */
  protected readonly takers = new Takers();
  private readonly enqueuer: Enqueuer;
  private readonly statementsWithin: StatementsWithin;
  private readonly waker: AfterCommitWaker;
  private readonly settings = new Map<string, RequestSettings>();
  private closing: Promise<void> | undefined;

  constructor(options: ProducerOptions<PayloadMap> = {}, parts?: ProducerParts) {
    this.log = options.log ?? standardErrorLog();
    this.hooks = new Hooks(parts?.plugins ?? options.plugins ?? [], {
      log: this.log,
      clock: parts?.clock ?? systemClock,
    });
    this.schema = checkSchemaName(options.schema);
    this.route = new Route({
      databaseUrl: databaseUrlOf(options.databaseUrl),
      applicationName: options.applicationName ?? 'lineshaft',
      statementTimeoutMs: 60_000,
    });
    this.pool = new Pool(this.route);
    this.statements = bindStatements(this.schema);
    this.build = options.build ?? '0.0.0';
    this.definitions = (options.kinds?.definitions ?? {}) as typeof this.definitions;
    this.payloadMaxBytes = options.payloadMaxBytes;
    this.ids = new UuidSource(Date.now, (length) => randomBytes(length));
    const within = ({ text, name }: Statement): StatementWithin => ({
      text,
      name: `lineshaft.${this.schema}.${name}`,
    });
    this.statementsWithin = {
      inbox: within(this.statements.enqueueInbox),
      inboxOne: within(this.statements.enqueueInboxOne),
      plain: within(this.statements.enqueuePlain),
      many: within(this.statements.enqueueMany),
    };
    this.enqueuer = new Enqueuer(this.route, this.statements, 'always', this.takers);
    this.waker = new AfterCommitWaker(this.pool, this.statements);
  }

  async enqueue<Kind extends Extract<keyof PayloadMap, string>>(
    kind: Kind,
    ...[payload, options]: [...PayloadArgument<PayloadMap[Kind]>, options?: EnqueueOptions]
  ): Promise<EnqueueResult> {
    const job = await this.check({ ...(options as EnqueueOptions | undefined), kind, payload });
    return await this.enqueuer.enqueue(job).catch((error: unknown) => this.explain(error));
  }

  async enqueueMany(requests: readonly RequestOf<PayloadMap>[]): Promise<EnqueueResult[]> {
    const bulk = this.enqueuer.beginMany(requests?.length ?? -1, !this.checksWait);
    try {
      for await (const jobs of this.checkInTurns(requests)) bulk.add(jobs);
    } catch (error) {
      await bulk.abandon();
      throw error;
    }
    return await bulk.end().catch((error: unknown) => this.explain(error));
  }

  /**
   * Enqueues in a transaction of the caller's: the jobs are there if it commits, and never were if it does not.
   *
   * What is wrong with an option or a payload is refused before anything is sent, and the transaction goes on. What
   * only the database can know (a queue that does not exist, an id that was used) fails a statement, after which
   * PostgreSQL lets a transaction only be rolled back, to a savepoint if there is one.
   * @example
   * await client.query('begin');
   * await lineshaft.within(fromPg(client)).enqueue('send-email', { to });
   * await client.query('commit');
   */
  within(transaction: CallerTransaction): Enqueueing<PayloadMap> {
    const write = (jobs: readonly PreparedJob[]): Promise<EnqueueResult[]> =>
      enqueueWithin(transaction, jobs, this.statementsWithin, this.waker).catch((error: unknown) =>
        this.explain(error),
      );
    return {
      enqueue: async (kind, ...[payload, options]) => {
        const job = await this.check({ ...(options as EnqueueOptions | undefined), kind, payload });
        const [result] = await write([job]);
        if (result === undefined) throw new TypeError('one job has one result');
        return result;
      },
      enqueueMany: async (requests) => await write(await this.checkAll(requests)),
    };
  }

  /** Resolves when what was enqueued is written and the connections are closed. */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  protected async shutDown(): Promise<void> {
    await this.enqueuer.close();
    await this.waker.close();
    await this.pool.close();
  }

  /** Checks a request against the rules, not against the schema of its kind, and gives it an id. */
  protected prepare(request: EnqueueRequest): PreparedJob {
    const valid = validateRequest(request, this.settingsOf(request?.kind));
    // Field by field, which is three times as fast as a spread.
    return {
      kind: valid.kind,
      id: valid.id ?? this.ids.next(),
      payloadText: valid.payloadText,
      template: valid.template,
      templateKey: valid.templateKey,
      uniqueKey: valid.uniqueKey,
      resend: valid.id !== undefined,
    };
  }

  /** The rules for requests of a kind; the same object each time, which makes checking many of them cheap. */
  private settingsOf(kind: string): RequestSettings {
    let settings = this.settings.get(kind);
    if (settings === undefined) {
      settings = {
        ...(this.payloadMaxBytes === undefined ? {} : { payloadMaxBytes: this.payloadMaxBytes }),
        defaults: requestDefaults(this.definitions[kind], this.build),
      };
      if (this.settings.size < 10_000) this.settings.set(kind, settings);
    }
    return settings;
  }

  private async checkAll(requests: readonly EnqueueRequest[]): Promise<PreparedJob[]> {
    const all: PreparedJob[][] = [];
    for await (const jobs of this.checkInTurns(requests)) all.push(jobs);
    return all.flat();
  }

  /** Between its turns others, and the connections that are being made, have theirs. */
  private async *checkInTurns(requests: readonly EnqueueRequest[]): AsyncGenerator<PreparedJob[]> {
    let jobs: PreparedJob[] = [];
    for (const request of requests) {
      // Awaiting nothing for each of 100,000 plain jobs would cost more than checking them.
      const checked = this.check(request);
      jobs.push(checked instanceof Promise ? await checked : checked);
      if (jobs.length < bulkBatchMaxJobs) continue;
      yield jobs;
      jobs = [];
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (jobs.length > 0) yield jobs;
  }

  /** Whether code of others, which may take its time, has a say in what may be enqueued. */
  private get checksWait(): boolean {
    if (this.hooks.enqueue !== undefined) return true;
    return Object.values(this.definitions).some((definition) => definition?.schema !== undefined);
  }

  private check(request: EnqueueRequest): PreparedJob | Promise<PreparedJob> {
    const { enqueue } = this.hooks;
    if (enqueue === undefined) return this.checkRequest(request);
    return enqueue(request).then((changed) => this.checkRequest(changed));
  }

  protected checkRequest(request: EnqueueRequest): PreparedJob | Promise<PreparedJob> {
    const definition = this.definitions[request?.kind];
    if (definition?.schema === undefined) return this.prepare(request);
    // What was sent is stored; what the schema makes of it is for the handler.
    const checked = checkPayload(request.kind, definition, request.payload);
    return checked instanceof Promise ? checked.then(() => this.prepare(request)) : this.prepare(request);
  }

  /** Adds to an error of the database the name that was perhaps meant. */
  protected async explain(error: unknown): Promise<never> {
    const wrong = isLineshaftError(error, 'QUEUE_NOT_FOUND') ? error.details['queue'] : undefined;
    if (!isLineshaftError(error) || typeof wrong !== 'string') throw error;
    const rows = await this.pool.query<{ name: string }>(this.statements.listQueues).catch(() => []);
    const meant = didYouMean(
      wrong,
      rows.map((row) => row.name),
    );
    throw new LineshaftError('QUEUE_NOT_FOUND', {
      message: `queue '${wrong}' not found${meant}; declare it: lineshaft queue declare ${wrong}`,
      details: error.details,
      cause: error,
    });
  }
}

function databaseUrlOf(given: string | undefined): string {
  const url = given ?? process.env['LINESHAFT_DATABASE_URL'];
  if (typeof url === 'string' && /^postgres(ql)?:\/\//.test(url)) return url;
  throw new LineshaftError('OPTION_INVALID', {
    message:
      url === undefined
        ? 'databaseUrl is missing: give it, or set LINESHAFT_DATABASE_URL'
        : 'databaseUrl must begin with postgresql://',
    details: { field: 'databaseUrl' },
  });
}
