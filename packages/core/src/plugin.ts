/**
 * Plugins: everything that is added to Lineshaft without changing it, and everything of its own that runs beside
 * the jobs. The services that come with Lineshaft (promoter, rescuer, leader, keeper and others, all in
 * `services/built-in.ts`) use this interface and nothing else.
 *
 * @example
 * const greeter = definePlugin({
 *   name: 'greeter',
 *   config: z.object({ word: z.string().default('hello') }),
 *   hooks: { workerStart: ({ workerId }, { config, log }) => log.info(`${config.word}, ${workerId}`) },
 * });
 * new Lineshaft({ plugins: [greeter({ word: 'welcome' })] });
 */

import type { ErrorRecord } from './domain/attempt.ts';
import type { Clock } from './domain/clock.ts';
import type { JobState } from './domain/job.ts';
import type { EnqueueRequest } from './domain/job-options.ts';
import type { StandardSchema } from './domain/standard-schema.ts';
import type { Log } from './log.ts';
import { checkParts } from './plugins/check-parts.ts';
import type { Leadership } from './services/leader.ts';
import type { Outlook } from './services/outlook.ts';
import type { PruneReport } from './services/prune.ts';
import type { Loop, LoopOptions, Service } from './services/service.ts';
import type { Pool } from './store/pool.ts';
import type { Session } from './store/session.ts';
import type { BoundStatements } from './store/statements.ts';
import type { StepRuns } from './workflow/step-runs.ts';

/** What a plugin is made of. All but the name may be left out. */
export interface PluginParts<Config = undefined> {
  /** Unique: lower-case letters, digits and `-`, at most 50. That of a built-in replaces the built-in. */
  readonly name: string;
  /** Plugins whose services must run before this one's, and stop after it. Unknown and circular ones are refused. */
  readonly dependsOn?: readonly string[];
  /** Any Standard Schema (zod, valibot, arktype …) that answers at once; see `definePlugin`. */
  readonly config?: StandardSchema<unknown, Config>;
  /**
   * A folder of numbered SQL files, `0001_name.sql` and on. `migrate()` and `lineshaft migrate` run them after those
   * of Lineshaft, in the same schema (`lineshaft.` stands for its name), with checksums and numbers of their own.
   */
  readonly migrations?: URL;
  /** A background loop of each worker; see `context.loop`, and `context.leadership` for what must run once. */
  readonly service?: (context: ServiceContext<Config>) => Service;
  readonly hooks?: PluginHooks<Config>;
  /**
   * Goes around each attempt, in the worker's process, wherever the handler runs. It must call `next`, which resolves
   * with how the attempt ended and never rejects; that stays as it is, whatever the middleware does.
   * @example middleware: (attempt, next) => tracer.startActiveSpan(attempt.kind, (span) => next().finally(() => span.end()))
   */
  readonly middleware?: (
    attempt: AttemptFacts,
    next: () => Promise<AttemptResult>,
    context: PluginContext<Config>,
  ) => unknown;
  /** Longest time that a hook, and a middleware before and after `next`, may take; 10 ms to 60 s. Default 5 s. */
  readonly timeoutMs?: number;
}

/**
 * Calls into a plugin. Each may be asynchronous. One that throws, or takes longer than `timeoutMs`, is reported once and
 * not called again by this process (`worker.metrics().hooks` tells); jobs go on as if it were not there.
 *
 * Only `enqueue`, `workerStart` and `workerStop` are waited for. Of the others at most 1,000 calls are under way at once;
 * what comes meanwhile is dropped and counted.
 */
export interface PluginHooks<Config = undefined> {
  /**
   * Before a request of a TypeScript caller is checked and written; also of `job.enqueue`. What it returns, if it is not
   * undefined, takes the request's place. `context.refuse(why)` refuses it (ENQUEUE_REFUSED).
   */
  enqueue?(
    request: EnqueueRequest,
    context: EnqueueContext<Config>,
  ): EnqueueRequest | undefined | Promise<EnqueueRequest | undefined>;
  /** An attempt is handed to its executor. */
  attemptStart?(attempt: AttemptFacts, context: PluginContext<Config>): unknown;
  /** An attempt has ended; it is not written yet. */
  attemptEnd?(attempt: AttemptEndFacts, context: PluginContext<Config>): unknown;
  /** It is written how attempts ended: all of one write, never an empty list. */
  finished?(jobs: readonly FinishedFacts[], context: PluginContext<Config>): unknown;
  /** Before a worker claims its first job. */
  workerStart?(worker: WorkerFacts, context: PluginContext<Config>): unknown;
  /** After its last result was written, while services still run. */
  workerStop?(worker: WorkerFacts, context: PluginContext<Config>): unknown;
}

/** What every part of a plugin is given. */
export interface PluginContext<Config = undefined> {
  /** The name of the plugin. */
  readonly plugin: string;
  /** What was given when the plugin was made, as its schema answered it. */
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
}

export interface EnqueueContext<Config = undefined> extends PluginContext<Config> {
  /** Refuses the request; its caller gets ENQUEUE_REFUSED with this reason. Never returns. */
  refuse(reason: string): never;
}

/** What a service is given. */
export interface ServiceContext<Config = undefined> extends PluginContext<Config> {
  readonly worker: WorkerFacts;
  /** Who leads: `leadership.term` is this worker's while it leads, else undefined; `leadership.write` for what must be written once. */
  readonly leadership: Pick<Leadership, 'term' | 'write'>;
  /** Does a round, sleeps as long as the round says, can be woken, outlives a lost database. */
  loop(options: Pick<LoopOptions, 'round' | 'errorPauseMaxMs'>): Loop;
  /** Runs one statement; `lineshaft.` stands for the schema. Rows as objects, numbers of 64 bits as texts. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Calls back when the database says something of this type (`docs/internals/wake.md` has them), or this worker does. */
  onMessage(type: string, listener: (body: string) => void): void;
  /** Says an event on the worker. */
  tell<Name extends keyof ServiceEvents>(name: Name, ...facts: ServiceEvents[Name]): void;
  /** For the services that come with Lineshaft; what is in it changes without notice. */
  readonly internals: ServiceInternals;
}

/** What workers say of what their services do. */
export interface ServiceEvents {
  /** This worker leads now. */
  elected: [{ term: string }];
  /** This worker led and stops; another may lead at once. */
  resigned: [{ term: string }];
  /** This worker led, and another has taken its place, or may have. */
  deposed: [{ term: string }];
  /** A worker died, and its jobs were given back. */
  rescued: [{ workerId: string; returned: number; buried: number }];
  /** The pruner has made a pass, whether or not there was something to forget. */
  pruned: [PruneReport];
  /** A re-prioritiser has raised waiting jobs. */
  raised: [{ plugin: string; jobs: number }];
  /** A job with a lease of its own was not heard of, and was given back; `final`: it is a dead letter, this came too often. */
  lapsed: [{ jobId: string; workerId: string; final: boolean }];
}

export interface ServiceInternals {
  readonly schema: string;
  readonly statements: BoundStatements;
  /** What comes due next; shared, so that each need not ask for itself. */
  readonly outlook: Outlook;
  /** For short statements; shared by the services of a worker. */
  readonly session: Session;
  /** For statements that may take long or wait for locks. */
  readonly slowSession: Session;
  /** For large batches; connects when it is first used. */
  readonly batchSession: Session;
  /** The runs of which jobs are steps. */
  readonly steps: StepRuns;
  /** The row of the worker; it changes when the worker had to register anew. */
  workerRow(): string;
  /** Runs statements in one transaction on a connection of the pool. */
  transaction<Result>(
    work: (query: ServiceContext['query'], run: Pool['query']) => Promise<Result>,
  ): Promise<Result>;
}

export interface WorkerFacts {
  readonly workerId: string;
  readonly name: string;
  readonly tags: readonly string[];
  readonly build: string;
  readonly slots: number;
  readonly leaseMs: number;
  readonly maxRescues: number;
}

/** An attempt, as hooks see it. */
export interface AttemptFacts {
  readonly jobId: string;
  readonly kind: string;
  /** Name of its queue. */
  readonly queue: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, unknown>>;
  /** Made of its text each time it is asked for. */
  readonly payload: unknown;
}

/** How an attempt ended. */
export interface AttemptResult {
  /** `returned`: it did not come to an end, and is given back. */
  readonly outcome: 'succeeded' | 'failed' | 'snoozed' | 'cancelled' | 'returned';
  /** Of an attempt that failed. */
  readonly error: ErrorRecord | undefined;
}

export interface AttemptEndFacts extends AttemptFacts, AttemptResult {
  /** When the job runs again; undefined: never, or it is not known. */
  readonly retryInMs: number | undefined;
  readonly durationMs: number;
}

export interface FinishedFacts {
  readonly jobId: string;
  readonly kind: string;
  readonly queue: string;
  readonly attempt: number;
  /** Where the job is now; final are `succeeded`, `failed` and `cancelled`. */
  readonly state: JobState;
  readonly durationMs: number;
}

/** A plugin with its configuration, as `new Lineshaft({ plugins: [...] })` takes it. Made by what `definePlugin` returns. */
export interface Plugin {
  readonly name: string;
  readonly dependsOn: readonly string[];
  readonly config: unknown;
  readonly migrations: URL | undefined;
  readonly service: ((context: ServiceContext<unknown>) => Service) | undefined;
  readonly hooks: PluginHooks<unknown>;
  readonly middleware: PluginParts<unknown>['middleware'];
  readonly timeoutMs: number;
}

/** The names of the calls into plugins. */
export type HookName = keyof PluginHooks;

type InputOf<Schema> = Schema extends { readonly '~standard': { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: infer Input }
    ? Input
    : unknown
  : unknown;

type ConfigArgument<Input> = [undefined] extends [Input]
  ? [config?: Input]
  : // biome-ignore lint/complexity/noBannedTypes: whether all fields may be left out is asked of the empty object type
    {} extends Input
    ? [config?: Input]
    : [config: Input];

/**
 * Defines a plugin; what it returns makes it, with the configuration if it has one.
 *
 * @returns A function that checks its argument by the schema `config` and answers the plugin.
 * @throws OPTION_INVALID, OPTION_UNKNOWN with the name of the plugin and the place: here for a wrong part, from the
 * returned function for a wrong configuration. `routes` and `pages` are reserved: routes come with the server (M4),
 * pages with the dashboard (M5).
 */
export function definePlugin<Config, Schema extends StandardSchema<unknown, Config>>(
  parts: PluginParts<Config> & { readonly config: Schema },
): (...config: ConfigArgument<InputOf<Schema>>) => Plugin;
export function definePlugin(parts: PluginParts): () => Plugin;
export function definePlugin(parts: unknown): (config?: unknown) => Plugin {
  const make = checkParts(parts);
  return (config) => make(config);
}
