/**
 * Lineshaft as a library: durable jobs on PostgreSQL.
 *
 * @example
 * import { Lineshaft } from '@lineshaft/core';
 *
 * const lineshaft = new Lineshaft({ databaseUrl: 'postgresql://localhost/app' });
 * await lineshaft.migrate();
 * lineshaft.handle('greet', ({ name }: { name: string }) => `Hello ${name}`);
 * const worker = lineshaft.worker();
 * await worker.start();
 * const { id } = await lineshaft.enqueue('greet', { name: 'Ada' });
 * const [job] = await lineshaft.waitFor([id]);
 * console.log(job?.output);
 * await lineshaft.close();
 *
 * @module
 */

export type { ApiKey, ApiKeys, KeyHolder, NewApiKey } from './access/api-keys.ts';
export { type Amounts, amountsText, amountText, type GivenAmounts } from './domain/amounts.ts';
export type { ErrorRecord } from './domain/attempt.ts';
export type { CircuitOptions, CircuitSettings, CircuitState } from './domain/circuit.ts';
export type { Clock } from './domain/clock.ts';
export {
  type CatalogueEntry,
  type ErrorCategory,
  type ErrorCode,
  errorCatalogue,
  isLineshaftError,
  LineshaftError,
  NonRetryableError,
} from './domain/errors.ts';
export type { JobState } from './domain/job.ts';
export type {
  AttemptLimits,
  Backoff,
  EnqueueOptions,
  EnqueueRequest,
  EnqueueResult,
  QueueRetention,
  Retention,
  UniqueOptions,
} from './domain/job-options.ts';
export {
  defineKinds,
  type HandlingOptions,
  type KindDefinition,
  type Kinds,
  type RetryFunction,
} from './domain/kinds.ts';
export type {
  KeptRate,
  Limit,
  LimitDeclaration,
  LimitKey,
  LimitRate,
  LimitTier,
  Under,
} from './domain/limit.ts';
export type { Queue, QueueDeclaration } from './domain/queue.ts';
export type { RetryRule } from './domain/retry-rules.ts';
export type { RuleLike, RuleNode } from './domain/rules.ts';
export {
  type Backfill,
  type Overlap,
  previewRuns,
  type ScheduleDeclaration,
  type ScheduledJobOptions,
  type ScheduleRule,
} from './domain/schedule.ts';
export { didYouMean, suggest } from './domain/suggest.ts';
export type { Reason, ReasonCode } from './domain/why-facts.ts';
export type * from './domain/workflow/decision.ts';
export type * from './domain/workflow/definition.ts';
export {
  stepDefinitionDocument,
  taskDefinitionDocument,
  workflowDefinitionDocument,
} from './domain/workflow/definition-document.ts';
export type * from './domain/workflow/run.ts';
export { runModel, stepModel } from './domain/workflow/run-model.ts';
export type { RunRetention } from './domain/workflow/run-retention.ts';
export { Lineshaft, type LineshaftOptions } from './lineshaft.ts';
export { type Log, type LogLevel, silentLog, textLog } from './log.ts';
export {
  type AttemptEndFacts,
  type AttemptFacts,
  type AttemptResult,
  definePlugin,
  type EnqueueContext,
  type FinishedFacts,
  type HookName,
  type Plugin,
  type PluginContext,
  type PluginHooks,
  type PluginParts,
  type ServiceContext,
  type ServiceEvents,
  type WorkerFacts,
} from './plugin.ts';
export type { HookReport } from './plugins/guard.ts';
export type { OpenCircuitOptions } from './queue/circuit-book.ts';
export type { CircuitView } from './queue/circuit-facts.ts';
export type { JobChange, JobFilter, JobSummary, JobView } from './queue/job-book.ts';
export type { CounterView } from './queue/limit-book.ts';
export { type CallerTransaction, type Enqueueing, Producer, type ProducerOptions } from './queue/producer.ts';
export type { LaneView, Project, QueueView, WorkerView } from './queue/queue-book.ts';
export type { DeclaredSchedule, Schedule, ScheduleRun, ScheduleView } from './queue/schedule-book.ts';
export type { FinishedJob } from './queue/waiters.ts';
export type { Why, WhySubject } from './queue/why-book.ts';
export { type KeeperConfig, keeper } from './services/keeper.ts';
export { type LeaderConfig, type Leadership, leader } from './services/leader.ts';
export { promoter } from './services/promoter.ts';
export type { PruneGroup, PruneProgress, PruneReport } from './services/prune.ts';
export { type PrunerConfig, pruner } from './services/pruner.ts';
export type { PruneOptions, PruneRules } from './services/pruning.ts';
export { type ReprioritiserConfig, reprioritiser } from './services/reprioritiser.ts';
export { rescuer } from './services/rescuer.ts';
export { scheduler } from './services/scheduler.ts';
export type { Loop, LoopOptions, Service } from './services/service.ts';
export type { Finding } from './store/doctor.ts';
export type { MigrateOptions, MigrationReport } from './store/migrate.ts';
export type {
  Handler,
  HandlerCommand,
  HandlerModule,
  JobContext,
  JobLog,
  ScheduledTick,
} from './worker/handler.ts';
export type {
  CircuitMetrics,
  DelayMetrics,
  JobCounts,
  QueueMetrics,
  WorkerMetrics,
} from './worker/metrics.ts';
export type { HandlerLike } from './worker/registry.ts';
export type { Worker } from './worker/worker.ts';
export type { WorkerOptions } from './worker/worker-options.ts';
export type { WorkerEvents } from './worker/worker-parts.ts';
export type { WorkflowPayloadSettings } from './workflow/payload-settings.ts';
export type {
  Found,
  PolledStep,
  PollRecord,
  PollRequest,
  PollSignal,
  RerunRequest,
  RunSearch,
  RunView,
  StepLog,
  StepOfRun,
  StepReport,
  Workflows,
  WrittenRun,
  WrittenStep,
} from './workflow/port.ts';
export type {
  EventAction,
  EventHandler,
  EventHandlers,
  Payloads,
  Rehearsal,
  RehearsedOutcome,
  ScheduleExecution,
  WorkflowSchedule,
  WorkflowSchedules,
  WorkflowStartDocument,
} from './workflow/port-books.ts';
