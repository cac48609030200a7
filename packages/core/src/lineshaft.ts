/** The facade: everything that one installation of Lineshaft can do, in one object. It delegates. */

import { arch, hostname, platform } from 'node:os';
import { ApiKeys } from './access/api-keys.ts';
import type { BlobStore } from './blob/port.ts';
import type { CircuitOptions } from './domain/circuit.ts';
import type { Clock } from './domain/clock.ts';
import type { EnqueueRequest } from './domain/job-options.ts';
import { type HandlingOptions, validateHandling } from './domain/kinds.ts';
import type { Limit, LimitDeclaration } from './domain/limit.ts';
import type { Queue, QueueDeclaration } from './domain/queue.ts';
import { type ScheduleDeclaration, validateSchedule } from './domain/schedule.ts';
import type { Plugin } from './plugin.ts';
import { orderPlugins } from './plugins/order.ts';
import { CircuitBook, type OpenCircuitOptions } from './queue/circuit-book.ts';
import type { CircuitView } from './queue/circuit-facts.ts';
import { JobBook, type JobChange, type JobFilter, type JobSummary, type JobView } from './queue/job-book.ts';
import { type CounterView, LimitBook } from './queue/limit-book.ts';
import { Notifications } from './queue/notifications.ts';
import { Producer, type ProducerOptions } from './queue/producer.ts';
import { type Project, QueueBook, type QueueView, type WorkerView } from './queue/queue-book.ts';
import {
  type DeclaredSchedule,
  type Schedule,
  ScheduleBook,
  type ScheduleView,
} from './queue/schedule-book.ts';
import { type FinishedJob, Waiters } from './queue/waiters.ts';
import { type Why, WhyBook, type WhySubject } from './queue/why-book.ts';
import { builtInPlugins } from './services/built-in.ts';
import type { PruneGroup, PruneReport } from './services/prune.ts';
import { type PruneOptions, Pruning } from './services/pruning.ts';
import { examine, type Finding } from './store/doctor.ts';
import { type MigrateOptions, type MigrationReport, migrate } from './store/migrate.ts';
import { readMigrations } from './store/read-migrations.ts';
import { demandSchema, type MigrationSet } from './store/schema-version.ts';
import { systemClock } from './system-clock.ts';
import type { Handler, HandlerCommand, HandlerModule } from './worker/handler.ts';
import { pythonVersion } from './worker/python-version.ts';
import { type HandlerLike, registerKinds } from './worker/registry.ts';
import { Worker } from './worker/worker.ts';
import { checkWorkerOptions, type WorkerOptions } from './worker/worker-options.ts';
import { builtInSteps } from './workflow/built-in-steps.ts';
import type { WorkflowPayloadSettings } from './workflow/payload-settings.ts';
import { workflowSurroundings } from './workflow/surroundings.ts';
import { WorkflowBooks } from './workflow/workflows.ts';

export interface LineshaftOptions<PayloadMap extends object = Record<string, unknown>>
  extends ProducerOptions<PayloadMap> {
  /** Built-in services that workers do not run, by name; `*` for all that `plugins` has no other for. Default none. */
  readonly without?: readonly string[];
  /**
   * Where large payloads of workflows are kept apart from the database: a folder, `s3://BUCKET/PREFIX?endpoint=URL&region=R`
   * (keys as of AWS in the environment), or a store of one's own. Default the environment variable LINESHAFT_BLOBS, else nowhere.
   */
  readonly blobs?: string | BlobStore;
  /** From which size on they are, and which are refused; as in Conductor: 3 and 5 MiB, 10 MiB. */
  readonly workflowPayloads?: WorkflowPayloadSettings;
  /**
   * Names of variables of the process environment that `${NAME}` and `${workflow.env.NAME}` may show in workflows. Default
   * those in the environment variable LINESHAFT_WORKFLOW_ENVIRONMENT, separated by commas, else none.
   */
  readonly workflowEnvironment?: readonly string[];
  /**
   * Names of variables of the process environment that `${workflow.secrets.NAME}` may hand to workers of steps; kept and shown
   * is the expression alone. Default those in the environment variable LINESHAFT_WORKFLOW_SECRETS, separated by commas, else none.
   */
  readonly workflowSecrets?: readonly string[];
  readonly clock?: Clock;
}

/**
 * Lineshaft in a program: enqueue jobs, run workers, look at what waits.
 *
 * @example
 * const lineshaft = new Lineshaft({ databaseUrl: 'postgresql://localhost/app' });
 * await lineshaft.migrate();
 * lineshaft.handle('greet', ({ name }: { name: string }) => `Hello ${name}`);
 * await lineshaft.worker().start();
 * const { id } = await lineshaft.enqueue('greet', { name: 'Ada' });
 * const [job] = await lineshaft.waitFor([id]);
 */
export class Lineshaft<PayloadMap extends object = Record<string, unknown>> extends Producer<PayloadMap> {
  /** Workflows: their definitions, their runs, and the steps that workers do. */
  readonly workflows: WorkflowBooks;
  /** The keys of callers of the HTTP server. */
  readonly apiKeys: ApiKeys;
  private readonly clock: Clock;
  private readonly plugins: readonly Plugin[];
  private readonly notifications: Notifications;
  private readonly waiters: Waiters;
  private readonly jobBook: JobBook;
  private readonly queueBook: QueueBook;
  private readonly scheduleBook: ScheduleBook;
  private readonly circuitBook: CircuitBook;
  private readonly whyBook: WhyBook;
  private readonly limitBook: LimitBook;
  private readonly handlers: Record<string, HandlerLike> = {};
  private readonly handling: Record<string, HandlingOptions> = {};
  private readonly workersOfThis = new Set<Worker>();

  constructor(options: LineshaftOptions<PayloadMap> = {}) {
    const clock = options.clock ?? systemClock;
    const plugins = orderPlugins(builtInPlugins, options.plugins ?? [], options.without ?? []);
    super(options, { plugins, clock });
    this.clock = clock;
    this.plugins = plugins;
    this.notifications = new Notifications({ route: this.route, channel: this.schema, clock: this.clock });
    this.waiters = new Waiters({
      route: this.route,
      statements: this.statements,
      notifications: this.notifications,
      clock: this.clock,
      id: this.ids.next(),
    });
    this.apiKeys = new ApiKeys(this.pool, this.statements, this.notifications);
    this.jobBook = new JobBook(this.pool, this.statements);
    this.queueBook = new QueueBook(this.pool, this.statements);
    this.scheduleBook = new ScheduleBook(this.pool, this.statements);
    this.circuitBook = new CircuitBook(this.pool, this.statements);
    this.whyBook = new WhyBook({
      pool: this.pool,
      statements: this.statements,
      jobs: this.jobBook,
      queues: this.queueBook,
      schedules: this.scheduleBook,
    });
    this.limitBook = new LimitBook(this.pool, this.statements);
    this.workflows = new WorkflowBooks({
      route: this.route,
      pool: this.pool,
      statements: this.statements,
      schema: this.schema,
      clock,
      notifications: this.notifications,
      log: this.log,
      id: this.ids.next(),
      newId: () => this.ids.next(),
      ...workflowSurroundings(options, process.env),
    });
  }

  /** Brings the schema up to date; harmless when it is, and when many processes do it at once. */
  async migrate(options: Omit<MigrateOptions, 'schema' | 'plugins'> = {}): Promise<MigrationReport> {
    const plugins = this.pluginMigrations();
    return await this.pool.withClient((client) =>
      migrate(client, { ...options, plugins, schema: this.schema }),
    );
  }

  /** Drops the schema with everything in it: all queues, jobs and history. */
  async uninstall(): Promise<void> {
    await this.pool.query(this.statements.dropSchema);
  }

  /** What differs between the schema on disk and in the database, and what threatens the health of the queue. */
  examine(): Promise<Finding[]> {
    return this.pool.withClient((client) =>
      examine(client, { schema: this.schema, now: () => this.clock.now() }),
    );
  }

  /**
   * Registers what does the work of a kind, for the workers of this object that have no handlers of their own; with
   * options that go before those of its definition.
   *
   * @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN
   * @example lineshaft.handle('charge', charge, { retryRules: [{ error: 'CardDeclined', fail: true }] })
   */
  handle<Kind extends Extract<keyof PayloadMap, string>, Payload extends PayloadMap[Kind]>(
    kind: Kind,
    handler: Handler<Payload> | HandlerModule | HandlerCommand,
    options: HandlingOptions = {},
  ): this {
    this.handling[kind] = validateHandling(kind, options);
    this.handlers[kind] = handler as HandlerLike;
    return this;
  }

  /** Makes a worker; it does nothing before `start`. @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN, HANDLER_INVALID */
  worker(options: WorkerOptions = {}): Worker {
    const checked = checkWorkerOptions(options);
    const workerId =
      checked.workerId ?? `${hostname().slice(0, 60)}-${process.pid}-${this.ids.next().slice(-6)}`;
    const worker = new Worker({
      route: this.route,
      pool: this.pool,
      statements: this.statements,
      schema: this.schema,
      notifications: this.notifications,
      takers: this.takers,
      clock: this.clock,
      log: this.log,
      build: this.build,
      facts: {
        hostname: hostname(),
        os: platform(),
        arch: arch(),
        node: process.versions.node,
        python: pythonVersion(),
        pid: process.pid,
      },
      random: Math.random,
      kinds: registerKinds(
        {
          ...builtInSteps(checked.outputMaxBytes, this.workflows.messages, (text) =>
            this.workflows.steps.redact(text),
          ),
          ...(checked.handlers ?? this.handlers),
        },
        this.definitions,
        this.handling,
      ),
      options: { ...checked, workerId },
      plugins: this.plugins,
      hooks: this.hooks,
      steps: this.workflows.steps,
      prepare: (request) => this.prepare(request),
    });
    this.workersOfThis.add(worker);
    worker.once('stopped', () => this.workersOfThis.delete(worker));
    return worker;
  }

  /**
   * Resolves when all jobs have finished, with how they ended, in the order of the ids.
   * @throws LineshaftError WAIT_TIMEOUT
   */
  waitFor(
    ids: readonly string[],
    options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<FinishedJob[]> {
    return this.waiters.waitFor(ids, options.timeoutMs, options.signal);
  }

  /** All that is known of a job. @throws LineshaftError JOB_NOT_FOUND */
  showJob(id: string): Promise<JobView> {
    return this.jobBook.show(id);
  }

  listJobs(filter: JobFilter = {}): Promise<JobSummary[]> {
    return this.jobBook.list(filter);
  }

  /**
   * Why a job waits, or the jobs of a queue or a kind: each reason with a code, a sentence and the command that mends it.
   * @throws LineshaftError JOB_NOT_FOUND, QUEUE_NOT_FOUND, KIND_NOT_FOUND, OPTION_INVALID
   * @example const { reasons } = await lineshaft.why({ job: id })
   */
  why(subject: WhySubject): Promise<Why> {
    return this.whyBook.why(subject);
  }

  /** Cancels jobs, waiting or running: final at once; a running attempt is asked to end and its result dropped. */
  cancel(ids: readonly string[], reason = 'cancelled'): Promise<JobChange[]> {
    return this.jobBook.cancel(ids, reason);
  }

  /** Gives failed jobs new attempts; scheduled, retrying and blocked ones run at once. */
  retry(ids: readonly string[]): Promise<JobChange[]> {
    return this.jobBook.retry(ids);
  }

  /** Removes jobs without a trace, unless they run. */
  deleteJobs(ids: readonly string[]): Promise<JobChange[]> {
    return this.jobBook.delete(ids);
  }

  /**
   * Forgets finished jobs that fit a rule, those past their time, and those that are more than their queue keeps; what
   * the service `pruner` does by itself. Partitions of history of which nothing is to be kept are dropped whole.
   *
   * @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN with the place in the rule
   * @example await lineshaft.prune({ rule: finishedAge().gt('7d').and(queue.eq('metrics')) });
   */
  prune(options: PruneOptions = {}): Promise<PruneReport> {
    return this.pruning().prune(options);
  }

  /** Counts what `prune` would forget, by project, queue and outcome; changes nothing. */
  countPrunable(options: PruneOptions = {}): Promise<PruneGroup[]> {
    return this.pruning().count(options);
  }

  private pruning(): Pruning {
    const { route, statements, schema, clock } = this;
    return new Pruning({ route, statements, schema, clock });
  }

  /**
   * Makes a limit, or changes the settings that are given, at once; jobs that wait already come under it too.
   * @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN, PROJECT_NOT_FOUND, LIMIT_FIXED
   * @example await lineshaft.declareLimit({ name: 'api', concurrency: 10, rate: { amount: 100, perMs: 1_000 }, kinds: ['call-api'] })
   */
  declareLimit(declaration: LimitDeclaration): Promise<Limit> {
    return this.limitBook.declare(declaration);
  }

  limits(): Promise<Limit[]> {
    return this.limitBook.list();
  }

  /** A limit, and of its keys in use those first that jobs wait for. @throws LineshaftError LIMIT_NOT_FOUND */
  showLimit(
    name: string,
    options: { project?: string } = {},
  ): Promise<{ limit: Limit; counters: CounterView[] }> {
    return this.limitBook.show(name, options.project ?? 'default');
  }

  /**
   * Lets nothing start under a limit for so long, or under one of its keys: what a handler calls, before it snoozes, when the
   * other side has told it to slow down. What runs goes on. `forMs: 0` opens it at once.
   * @throws LineshaftError LIMIT_NOT_FOUND, OPTION_INVALID
   * @example await lineshaft.throttleLimit('api', { forMs: 30_000 }); job.snooze(30_000);
   */
  throttleLimit(name: string, options: { forMs: number; key?: string; project?: string }): Promise<void> {
    return this.limitBook.throttle(name, options.project ?? 'default', options.key ?? '', options.forMs);
  }

  /** Forgets a limit: what it held back goes on. @throws LineshaftError LIMIT_NOT_FOUND */
  deleteLimit(name: string, options: { project?: string } = {}): Promise<void> {
    return this.limitBook.delete(name, options.project ?? 'default');
  }

  /** Makes a queue, or changes the settings that are given; workers see it within a second. */
  declare(declaration: QueueDeclaration): Promise<Queue> {
    return this.queueBook.declare(declaration);
  }

  pauseQueue(name: string, options: { project?: string; until?: Date } = {}): Promise<void> {
    return this.queueBook.pause(name, options.project ?? 'default', options.until);
  }

  resumeQueue(name: string, options: { project?: string } = {}): Promise<void> {
    return this.queueBook.resume(name, options.project ?? 'default');
  }

  deleteQueue(name: string, options: { project?: string; purge?: boolean } = {}): Promise<void> {
    return this.queueBook.delete(name, options.project ?? 'default', options.purge ?? false);
  }

  queues(): Promise<Queue[]> {
    return this.queueBook.list();
  }

  /** A queue, what waits in it lane by lane, and its live workers. @throws LineshaftError QUEUE_NOT_FOUND */
  async showQueue(name: string, options: { project?: string } = {}): Promise<QueueView> {
    return await this.queueBook.show(await this.queueBook.find(name, options.project ?? 'default'));
  }

  /** The same of all queues. */
  showQueues(): Promise<QueueView[]> {
    return this.queueBook.showAll();
  }

  /**
   * Makes a schedule, or makes it be what is said now. Its clock goes on where rule and start are the same; where
   * nothing has changed, nothing is written: declare it at every start of the program.
   * @throws LineshaftError OPTION_INVALID (for a cron rule with the place in it), OPTION_UNKNOWN, QUEUE_NOT_FOUND, PROJECT_NOT_FOUND
   * @example await lineshaft.schedule({ name: 'report', cron: '0 6 * * MON-FRI', timeZone: 'Europe/Berlin', kind: 'make-report' })
   */
  async schedule(declaration: ScheduleDeclaration): Promise<DeclaredSchedule> {
    const valid = validateSchedule(declaration);
    const { kind, payload, project, options } = valid;
    const job = await this.checkRequest({
      ...options,
      kind,
      payload,
      ...(project === 'default' ? {} : { project }),
    } as EnqueueRequest);
    return await this.scheduleBook.declare(valid, job).catch((error: unknown) => this.explain(error));
  }

  /** Schedules of all projects, or of one. */
  schedules(options: { project?: string } = {}): Promise<Schedule[]> {
    return this.scheduleBook.list(options.project);
  }

  /** A schedule with its next runs, 5 unless another number is given. @throws LineshaftError SCHEDULE_NOT_FOUND */
  showSchedule(name: string, options: { project?: string; nextRuns?: number } = {}): Promise<ScheduleView> {
    return this.scheduleBook.show(name, options.project ?? 'default', options.nextRuns);
  }

  /** It makes no jobs until it is resumed; what would have come due meanwhile is not made up for. */
  pauseSchedule(name: string, options: { project?: string; reason?: string } = {}): Promise<void> {
    return this.scheduleBook.pause(name, options.project ?? 'default', options.reason);
  }

  resumeSchedule(name: string, options: { project?: string } = {}): Promise<void> {
    return this.scheduleBook.resume(name, options.project ?? 'default');
  }

  /** Enqueues a job of the schedule now, whatever its clock and overlap policy say; answers with the job's id. */
  runSchedule(name: string, options: { project?: string } = {}): Promise<string> {
    return this.scheduleBook.run(name, options.project ?? 'default');
  }

  /** Its jobs stay. */
  deleteSchedule(name: string, options: { project?: string } = {}): Promise<void> {
    return this.scheduleBook.delete(name, options.project ?? 'default');
  }

  /** The circuit breakers of all kinds that have one. */
  circuits(): Promise<CircuitView[]> {
    return this.circuitBook.list();
  }

  /** The circuit breaker of a kind. @throws LineshaftError CIRCUIT_NOT_FOUND */
  circuit(kind: string): Promise<CircuitView> {
    return this.circuitBook.show(kind);
  }

  /**
   * Sets how the circuit breaker of a kind works, before what code declares; made where there is none. Workers see it
   * within a second.
   *
   * @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN
   * @example await lineshaft.setCircuit('charge', { failureRate: 0.3, pauseMs: 60_000 })
   */
  setCircuit(kind: string, options: CircuitOptions): Promise<CircuitView> {
    return this.circuitBook.set(kind, options);
  }

  /** Opens it by hand: jobs of the kind wait, and burn no attempt, until a time (then probes begin) or until closed. */
  openCircuit(kind: string, options: OpenCircuitOptions = {}): Promise<CircuitView> {
    return this.circuitBook.open(kind, options);
  }

  /** Closes it by hand: counts begin at zero. @throws LineshaftError CIRCUIT_NOT_FOUND */
  closeCircuit(kind: string): Promise<CircuitView> {
    return this.circuitBook.close(kind);
  }

  /** Closes it, and forgets what was set: what the code declares holds. @throws LineshaftError CIRCUIT_NOT_FOUND */
  resetCircuit(kind: string): Promise<CircuitView> {
    return this.circuitBook.reset(kind);
  }

  createProject(name: string): Promise<Project & { readonly made: boolean }> {
    return this.queueBook.createProject(name);
  }

  projects(): Promise<Project[]> {
    return this.queueBook.projects();
  }

  workers(): Promise<WorkerView[]> {
    return this.queueBook.workers();
  }

  /** How many statements were sent to the database since this object was made, by their names. */
  statementCounts(): ReadonlyMap<string, number> {
    return this.route.sent;
  }

  /** @throws LineshaftError SCHEMA_MISSING, SCHEMA_NEWER where the database was not migrated to this version */
  async demandSchema(): Promise<void> {
    const plugins = this.pluginMigrations();
    await this.pool.withClient((client) => demandSchema(client, this.schema, plugins));
  }

  private pluginMigrations(): MigrationSet[] {
    return this.plugins.flatMap(({ name, migrations }) =>
      migrations === undefined ? [] : [readMigrations(name, migrations)],
    );
  }

  protected override async shutDown(): Promise<void> {
    await Promise.all([...this.workersOfThis].map((worker) => worker.stop()));
    await this.workflows.close();
    await this.waiters.close();
    await this.notifications.close();
    await super.shutDown();
  }
}
