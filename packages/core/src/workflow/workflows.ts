/**
 * All that may be asked of workflows, for one installation: implements the port by delegating to books, each with a part
 * of it.
 */

import type { BlobStore } from '../blob/port.ts';
import type { Clock } from '../domain/clock.ts';
import type { TaskDefinition, WorkflowDefinition } from '../domain/workflow/definition.ts';
import { pickDomain } from '../domain/workflow/domain.ts';
import type { Run, RunStatus, StartRequest, StepStatus } from '../domain/workflow/run.ts';
import type { SecretValues } from '../domain/workflow/secrets.ts';
import type { Log } from '../log.ts';
import type { Notifications } from '../queue/notifications.ts';
import type { Pool } from '../store/pool.ts';
import type { Route } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { assembleRuns, type RunMachinery } from './assemble-runs.ts';
import { ControlBook } from './control-book.ts';
import { defaultDecideLimits } from './decide-context.ts';
import { DefinitionBook } from './definition-book.ts';
import { EventBook } from './event-book.ts';
import { EventDelivery } from './event-delivery.ts';
import { HandOver } from './hand-over.ts';
import { HandedSteps } from './handed-steps.ts';
import { LogBook } from './log-book.ts';
import { MessageBook } from './message-book.ts';
import { ownDocument } from './own-document.ts';
import { PayloadBook } from './payload-book.ts';
import type { PayloadSizes } from './payload-settings.ts';
import { PollBook } from './poll-book.ts';
import { PollRecords } from './poll-records.ts';
import { PollWaiters } from './poll-waiters.ts';
import type {
  Found,
  PolledStep,
  PollRecord,
  PollRequest,
  RerunRequest,
  RunSearch,
  RunView,
  StepLog,
  StepOfRun,
  StepReport,
  Workflows,
  WrittenRun,
} from './port.ts';
import type { Rehearsal } from './port-books.ts';
import { ReportBook } from './report-book.ts';
import { RunBook } from './run-book.ts';
import { RunIndexer } from './run-indexer.ts';
import { RunKeys } from './run-keys.ts';
import { RunStore } from './run-store.ts';
import { ScheduledWorkflows } from './scheduled-workflows.ts';
import { SearchBook } from './search-book.ts';
import { StepQueues } from './step-queues.ts';
import type { StepRuns } from './step-runs.ts';

/** What the books are made of. */
export interface WorkflowParts {
  readonly route: Route;
  readonly pool: Pool;
  readonly statements: BoundStatements;
  readonly schema: string;
  readonly clock: Clock;
  readonly notifications: Notifications;
  readonly log: Log;
  /** Of this process: a UUID. */
  readonly id: string;
  readonly newId: () => string;
  /** Where large payloads are kept apart; undefined: nowhere. */
  readonly blobs: BlobStore | undefined;
  /** From when on they are, and what is refused. */
  readonly payloadSizes: PayloadSizes;
  /** Names that `${NAME}` may show of the process environment, with their values. */
  readonly environment: Readonly<Record<string, string>>;
  /** What `${workflow.secrets.NAME}` may hand to workers, by name. */
  readonly secrets: SecretValues;
}

type Offered =
  | 'checkWorkflow'
  | 'putWorkflow'
  | 'getWorkflow'
  | 'listWorkflows'
  | 'deleteWorkflow'
  | 'putTask'
  | 'getTask'
  | 'listTasks'
  | 'deleteTask'
  | 'start'
  | 'show'
  | 'showWritten'
  | 'showStep'
  | 'correlated'
  | 'running'
  | 'searchRuns'
  | 'searchSteps'
  | 'remove'
  | 'poll'
  | 'confirmPoll'
  | 'giveBack'
  | 'report'
  | 'reportByRef'
  | 'addLog'
  | 'logs'
  | 'queueSizes'
  | 'pollRecords'
  | 'requeue'
  | 'start'
  | 'waitForRun'
  | 'schedules'
  | 'rehearse'
  | 'events'
  | 'sendMessage'
  | 'payloads'
  | 'decide'
  | 'pause'
  | 'resume'
  | 'terminate'
  | 'restart'
  | 'retry'
  | 'rerun'
  | 'skip'
  | 'resetCallbacks'
  | 'signal';

export class WorkflowBooks implements Pick<Workflows, Offered> {
  /** What is to be done when a message of an event comes. */
  readonly events: EventBook;
  /** Messages to runs. */
  readonly messages: MessageBook;
  /** Where payloads are that are kept apart. */
  readonly payloads: PayloadBook;
  /** When runs start by themselves. */
  readonly schedules: ScheduledWorkflows;
  /** What workers and services of this process tell runs. */
  readonly steps: StepRuns;
  private readonly store: RunStore;
  private readonly definitions: DefinitionBook;
  private readonly runBook: RunBook;
  private readonly searchBook: SearchBook;
  private readonly control: ControlBook;
  private readonly polled: PollRecords;
  private readonly pollBook: PollBook;
  private readonly logBook: LogBook;
  private readonly reportBook: ReportBook;
  private readonly stepQueues: StepQueues;
  private readonly machinery: RunMachinery;
  private readonly keys: RunKeys;
  private readonly newId: () => string;

  constructor(parts: WorkflowParts) {
    const { apart, most } = parts.payloadSizes;
    const maxBytes = Math.max(...Object.values(most));
    const onTrouble = (error: unknown) =>
      parts.log.warn(`a large payload can't be kept apart, or be had: ${messageOf(error)}`);
    this.store = new RunStore({ ...parts, payloads: { ...parts, thresholds: apart, maxBytes, onTrouble } });
    this.definitions = new DefinitionBook(parts);
    this.runBook = new RunBook({ ...parts, store: this.store });
    this.searchBook = new SearchBook({ ...parts, runs: this.runBook });
    const { log } = parts;
    const polls = new PollWaiters();
    const handOver = new HandOver(parts.secrets);
    this.polled = new PollRecords({ ...parts, waiting: () => polls.lastPolls() });
    const handed = new HandedSteps();
    this.pollBook = new PollBook({
      ...parts,
      store: this.store,
      handed,
      handOver,
      waiters: polls,
      records: this.polled,
      onTrouble: (error) => log.warn(`polls get nothing: ${messageOf(error)}`),
    });
    this.logBook = new LogBook(parts);
    this.stepQueues = new StepQueues(parts);
    const { polled, pollBook } = this;
    this.newId = parts.newId;
    this.keys = new RunKeys(parts);
    this.machinery = assembleRuns({
      ...parts,
      store: this.store,
      keys: this.keys,
      handOver,
      definitions: this.definitions,
      domainOf: (type, domains) => pickDomain(type, domains, (kind, domain) => polled.isActive(kind, domain)),
      freshenDomains: () => polled.freshen(),
      limits: { ...defaultDecideLimits, documents: most },
      onJobs: (jobs) => pollBook.enqueued(jobs),
      claimBeside: (steps) => pollBook.claimBeside(steps),
    });
    const { runs, cache, advancer, definitionCache } = this.machinery;
    this.reportBook = new ReportBook({
      ...parts,
      store: this.store,
      handed,
      handOver,
      logs: this.logBook,
      tell: (runId, events) => runs.tell(runId, events),
      stateOf: (runId) => cache.get(runId),
    });
    this.control = new ControlBook({
      runs,
      runBook: this.runBook,
      async latestDefinition(name) {
        await definitionCache.refresh();
        return (await definitionCache.get(name, undefined)).definition;
      },
    });
    const start = (request: StartRequest, runId: string) => this.startOnce(request, runId);
    this.schedules = new ScheduledWorkflows({ ...parts, start, now: () => this.store.clockMs() });
    this.events = new EventBook(parts);
    this.payloads = new PayloadBook({ ...parts, maxBytes, database: parts });
    const { reportBook } = this;
    this.messages = new MessageBook({ ...parts, report: (report) => reportBook.report(report) });
    const delivery = new EventDelivery({
      ...parts,
      evaluator: this.machinery.evaluator,
      start,
      report: (report) => reportBook.report(report),
      reportByRef: (runId, ref, report) => reportBook.reportByRef(runId, ref, report),
    });
    const indexer = new RunIndexer(parts);
    this.steps = {
      get backlog() {
        return advancer.backlog;
      },
      ended: (steps) => advancer.ended(steps),
      claimed: (steps) => advancer.claimed(steps),
      inputOf: (step) => advancer.inputOf(step),
      redact: (text) => handOver.redact(text),
      end: (steps, taker) => advancer.end(steps, taker),
      advanceDue: async () => {
        const runs = await advancer.advanceDue();
        return runs + (await delivery.deliverBeside(runs));
      },
      prunePayloads: (signal) => this.payloads.prune(signal),
      startScheduled: (signal) => this.schedules.startDue(signal),
      indexRuns: () => indexer.index(),
    };
  }

  /** Starts a run under an id of its own, which is in order where it was started before. */
  private async startOnce(request: StartRequest, runId: string): Promise<void> {
    const isThere = async () => (await this.runBook.views([runId], false)).length > 0;
    if (await isThere()) return;
    try {
      await this.startAs(request, runId);
    } catch (error) {
      // Somebody else may have been faster, or the answer was lost.
      if (!(await isThere())) throw error;
    }
  }

  async checkWorkflow(definition: WorkflowDefinition): Promise<void> {
    await this.definitions.check(definition);
  }

  putWorkflow(definition: WorkflowDefinition, options: { overwrite: boolean }): Promise<void> {
    return this.definitions.putWorkflow(definition, options);
  }

  getWorkflow(name: string, version?: number): Promise<WorkflowDefinition> {
    return this.definitions.getWorkflow(name, version);
  }

  listWorkflows(options?: { name?: string; latestOnly?: boolean }): Promise<WorkflowDefinition[]> {
    return this.definitions.listWorkflows(options);
  }

  deleteWorkflow(name: string, version: number): Promise<void> {
    return this.definitions.deleteWorkflow(name, version);
  }

  putTask(definition: TaskDefinition): Promise<void> {
    return this.definitions.putTask(definition);
  }

  getTask(name: string): Promise<TaskDefinition> {
    return this.definitions.getTask(name);
  }

  listTasks(): Promise<TaskDefinition[]> {
    return this.definitions.listTasks();
  }

  deleteTask(name: string): Promise<void> {
    return this.definitions.deleteTask(name);
  }

  /**
   * Starts a run; resolves with its id when it is durable.
   * @throws LineshaftError WORKFLOW_NOT_FOUND, DEFINITION_INVALID, OPTION_INVALID, RUN_EXISTS (its idempotency
   * key is taken); BLOB_NOT_FOUND and others of payloads that are kept apart
   * @example const runId = await lineshaft.workflows.start({ name: 'order', input: { order: 17 } })
   */
  async start(request: StartRequest): Promise<string> {
    const { input, ...rest } = request;
    const own = ownDocument(input, 'input');
    return await this.startAs(own === undefined ? rest : { ...rest, input: own }, this.newId());
  }

  /** @returns the id of the run: this one, or of the one that has the idempotency key and is to be returned */
  private async startAs(request: StartRequest, runId: string): Promise<string> {
    const held = await this.keys.claim(request, runId);
    if (held !== runId) return held;
    try {
      return (await this.machinery.runs.start(await this.payloads.withInput(request), runId)).id;
    } catch (error) {
      await this.keys.release(request, runId).catch(() => {});
      throw error;
    }
  }

  waitForRun(
    runId: string,
    done: (view: RunView) => boolean,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<RunView> {
    return this.machinery.waiters.wait(runId, () => this.runBook.show(runId), done, options);
  }

  /** Runs a workflow in memory, with the outcomes that are given; writes nothing. */
  rehearse(rehearsal: Rehearsal): Promise<RunView> {
    return this.machinery.rehearse(rehearsal);
  }

  decide(runId: string): Promise<void> {
    return this.control.decide(runId);
  }

  pause(runId: string): Promise<void> {
    return this.control.pause(runId);
  }

  resume(runId: string): Promise<void> {
    return this.control.resume(runId);
  }

  terminate(runId: string, options?: { reason?: string; triggerFailureWorkflow?: boolean }): Promise<void> {
    return this.control.terminate(runId, options);
  }

  restart(runId: string, options?: { useLatestDefinitions?: boolean }): Promise<void> {
    return this.control.restart(runId, options);
  }

  retry(runId: string, options?: { resumeSubworkflowTasks?: boolean }): Promise<void> {
    return this.control.retry(runId, options);
  }

  async rerun(runId: string, request: RerunRequest): Promise<string> {
    const { runInput, stepInput } = request;
    return await this.control.rerun(runId, {
      ...request,
      ...(runInput === undefined ? {} : { runInput: ownDocument(runInput, 'runInput') }),
      ...(stepInput === undefined ? {} : { stepInput: ownDocument(stepInput, 'stepInput') }),
    });
  }

  async skip(
    runId: string,
    ref: string,
    request?: { input?: Readonly<Record<string, unknown>>; output?: Readonly<Record<string, unknown>> },
  ): Promise<void> {
    const { input, output } = request ?? {};
    await this.control.skip(runId, ref, {
      ...(input === undefined ? {} : { input: ownDocument(input, 'input') }),
      ...(output === undefined ? {} : { output: ownDocument(output, 'output') }),
    });
  }

  resetCallbacks(runId: string): Promise<void> {
    return this.control.resetCallbacks(runId);
  }

  async signal(
    runId: string,
    status: RunStatus | StepStatus,
    output: Readonly<Record<string, unknown>>,
  ): Promise<StepOfRun | undefined> {
    return await this.control.signal(runId, status, ownDocument(output, 'output'));
  }

  show(runId: string, options?: { steps?: boolean }): Promise<RunView> {
    return this.runBook.show(runId, options);
  }

  showWritten(runId: string): Promise<WrittenRun> {
    return this.runBook.showWritten(runId);
  }

  showStep(stepId: string): Promise<StepOfRun> {
    return this.runBook.showStep(stepId);
  }

  correlated(
    names: readonly string[],
    correlationIds: readonly string[],
    options: { closed: boolean; steps: boolean },
  ): Promise<RunView[]> {
    return this.runBook.correlated(names, correlationIds, options);
  }

  running(name: string, version?: number, between?: { from: number; to: number }): Promise<string[]> {
    return this.runBook.running(name, version, between);
  }

  searchRuns(search: RunSearch): Promise<Found<Run>> {
    return this.searchBook.searchRuns(search);
  }

  searchSteps(search: RunSearch): Promise<Found<StepOfRun>> {
    return this.searchBook.searchSteps(search);
  }

  remove(runId: string): Promise<void> {
    return this.runBook.remove(runId);
  }

  poll(request: PollRequest): Promise<PolledStep[]> {
    return this.pollBook.poll(request);
  }

  async report(report: StepReport): Promise<StepOfRun | undefined> {
    return await this.reportBook.report(await this.payloads.withOutput(withOwnOutput(report)));
  }

  async reportByRef(
    runId: string,
    ref: string,
    report: Omit<StepReport, 'stepId'>,
  ): Promise<StepOfRun | undefined> {
    return await this.reportBook.reportByRef(runId, ref, withOwnOutput(report));
  }

  confirmPoll(stepIds: readonly string[]): void {
    this.pollBook.confirm(stepIds);
  }

  giveBack(stepIds: readonly string[]): Promise<number> {
    return this.pollBook.giveBack(stepIds);
  }

  sendMessage(runId: string, message: Readonly<Record<string, unknown>>): Promise<string> {
    return this.messages.send(runId, message);
  }

  addLog(stepId: string, log: StepLog): Promise<void> {
    return this.logBook.add(stepId, [log]);
  }

  logs(stepId: string): Promise<StepLog[]> {
    return this.logBook.list(stepId);
  }

  queueSizes(names?: readonly string[]): Promise<Map<string, number>> {
    return this.stepQueues.sizes(names);
  }

  pollRecords(kind?: string): Promise<PollRecord[]> {
    return this.polled.list(kind);
  }

  requeue(kind: string): Promise<number> {
    return this.stepQueues.requeue(kind);
  }

  async close(): Promise<void> {
    await this.pollBook.close();
    await this.machinery.close();
    await this.store.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function withOwnOutput<Report extends Pick<StepReport, 'output'>>(report: Report): Report {
  return report.output === undefined ? report : { ...report, output: ownDocument(report.output, 'output') };
}
