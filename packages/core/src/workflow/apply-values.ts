/**
 * Turns decisions about runs into the arguments of the SQL function `apply_runs`: whole new rows, with the documents apart
 * and only where they have changed. Pure.
 */

import type { Decision, RunEvent, StepJob } from '../domain/workflow/decision.ts';
import type { JsonObject, WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import { stepKind } from '../domain/workflow/step-kind.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import { definitionOf, runFacts, stepDefinitions, stepFacts } from './rows.ts';
import { taskLimit } from './task-limit.ts';

/** The queue in which steps wait. */
export const stepQueue = 'workflow';

/** A definition as runs keep it, with its hash and its text. */
export interface KeptDefinition {
  readonly hash: string;
  readonly definition: WorkflowDefinition;
  readonly text: string;
}

/** A change of one run, ready to be written. */
export interface RunChange {
  /** As it was read; undefined: it is new. */
  readonly before: Run | undefined;
  /** As it will be. */
  readonly after: Run;
  /** What is known of the step with this number before the change. */
  readonly stepBefore: (seq: number) => Step | undefined;
  /** undefined: nothing is to be written about it, but marks are done with. */
  readonly decision: Pick<Decision, 'steps' | 'removed' | 'jobs' | 'withdrawn' | 'wakeAt'> | undefined;
  /** Marks that were decided on. */
  readonly decided: readonly number[];
  /** What other runs are to hear. */
  readonly tells: readonly { readonly runId: string; readonly event: RunEvent }[];
  /** Of a run that is new, or begins anew with another definition. */
  readonly kept: KeptDefinition | undefined;
  /** Told how many bytes of documents were written. */
  readonly onSize?: (bytes: number) => void;
}

type Written = NonNullable<RunChange['decision']>;

/** Longest time limit that a job may have; longer ones are looked at when the run is. */
const jobTimeoutMaxMs = 604_800_000;
/** What `claim_remote` takes where nothing else is said. */
const responseUsualMs = 3_600_000;

/** Payload of a job whose input is too large to be kept twice: it stands in the step alone. */
export const inputInStep = '{"lineshaft.input":"in the step"}';
const inputTwiceMaxBytes = 262_144;

/** The values of `apply_runs.sql`. */
export function applyValues(changes: readonly RunChange[]): unknown[] {
  const sorted = [...changes].sort((a, b) => (a.after.id < b.after.id ? -1 : 1));
  const write = new Write();
  for (const change of sorted) write.add(change);
  return write.values();
}

/** Collects what one statement writes. */
class Write {
  private readonly runs: string[] = [];
  private readonly documentRuns: string[] = [];
  private readonly inputs: string[] = [];
  private readonly outputs: string[] = [];
  private readonly variables: string[] = [];
  private readonly kept = new Map<string, KeptDefinition>();
  private readonly fresh = new StepRows();
  private readonly changed = new StepRows();
  private readonly removed: string[] = [];
  private readonly markRuns: string[] = [];
  private readonly events: string[] = [];
  private readonly decided: number[] = [];
  private readonly withdrawn: string[] = [];
  private readonly again: string[] = [];
  private readonly jobs = new JobRows();

  add(change: RunChange): void {
    const { before, after, decision } = change;
    const { id } = after;
    this.decided.push(...change.decided);
    if (decision === undefined) return;
    this.runs.push(runRow(change, decision));
    const documents = runDocuments(before, after);
    if (documents !== undefined) {
      this.documentRuns.push(id);
      this.inputs.push(documents.input);
      this.outputs.push(documents.output);
      this.variables.push(documents.variables);
    }
    if (change.kept !== undefined) this.kept.set(change.kept.hash, change.kept);
    const revision = (before?.revision ?? 0) + 1;
    const texts = new Map<object, string>();
    this.addSteps(change, decision, revision, texts);
    if (change.onSize !== undefined) {
      let bytes = 500 * decision.steps.length;
      for (const text of texts.values()) bytes += text.length;
      change.onSize(bytes);
    }
    for (const seq of decision.removed) this.removed.push(`{"run":"${id}","seq":${seq}}`);
    for (const { runId, event } of change.tells) {
      this.markRuns.push(runId);
      this.events.push(JSON.stringify(event));
    }
    this.withdrawn.push(...decision.withdrawn);
    for (const job of decision.jobs) {
      if (job.again) this.again.push(`{"id":"${job.stepId}","delay":${job.delayMs}}`);
      else this.jobs.add(job, textOf(job.payload, texts));
    }
  }

  values(): unknown[] {
    const { fresh, changed, jobs } = this;
    const kept = [...this.kept.values()];
    return [
      jsonArray(this.runs),
      `{${this.documentRuns.join(',')}}`,
      jsonArray(this.inputs),
      jsonArray(this.outputs),
      jsonArray(this.variables),
      textArray(kept.map(({ hash }) => hash)),
      jsonArray(kept.map(({ text }) => text)),
      jsonArray(fresh.rows),
      jsonArray(fresh.inputs),
      jsonArray(fresh.outputs),
      jsonArray(fresh.definitions),
      jsonArray(changed.rows),
      jsonArray(changed.inputs),
      jsonArray(changed.outputs),
      jsonArray(this.removed),
      `{${this.markRuns.join(',')}}`,
      jsonArray(this.events),
      `{${this.decided.join(',')}}`,
      `{${this.withdrawn.join(',')}}`,
      jsonArray(this.again),
      JSON.stringify(jobs.templates),
      jobs.templates.length === 1 ? null : `{${jobs.templateOf.join(',')}}`,
      `{${jobs.ids.join(',')}}`,
      jsonArray(jobs.payloads),
    ];
  }

  private addSteps(change: RunChange, decision: Written, revision: number, texts: Map<object, string>): void {
    const { before, after } = change;
    const definitions = stepDefinitions(after.definition);
    for (const step of decision.steps) {
      if (before === undefined || step.seq >= before.nextSeq) {
        this.fresh.rows.push(freshRow(after.id, revision, step));
        this.fresh.inputs.push(textOf(step.input, texts));
        this.fresh.outputs.push(textOf(step.output, texts));
        const known = definitionOf(definitions, step.ref) === step.definition;
        this.fresh.definitions.push(known ? 'null' : JSON.stringify(step.definition));
        continue;
      }
      const was = change.stepBefore(step.seq);
      this.changed.rows.push(changedRow(after.id, revision, step));
      this.changed.inputs.push(was?.input === step.input ? 'null' : textOf(step.input, texts));
      this.changed.outputs.push(was?.output === step.output ? 'null' : textOf(step.output, texts));
    }
  }
}

class StepRows {
  readonly rows: string[] = [];
  readonly inputs: string[] = [];
  readonly outputs: string[] = [];
  readonly definitions: string[] = [];
}

/** Jobs for `enqueue_many`: those that are alike share a template. */
class JobRows {
  readonly templates: unknown[] = [];
  readonly templateOf: number[] = [];
  readonly ids: string[] = [];
  readonly payloads: string[] = [];
  private readonly numbers = new Map<string, number>();

  add(job: StepJob, payloadText: string): void {
    const { domain, priority } = job;
    const timeoutMs = job.timeoutMs !== undefined && job.timeoutMs <= jobTimeoutMaxMs ? job.timeoutMs : 0;
    const responseMs = Math.ceil(Math.min(job.responseTimeoutMs ?? jobTimeoutMaxMs, jobTimeoutMaxMs));
    const times = `${job.delayMs} ${timeoutMs} ${responseMs}`;
    const key = JSON.stringify([priority, times, job.kind, domain, job.limitsOf]);
    let number = this.numbers.get(key);
    if (number === undefined) {
      this.templates.push({
        kind: stepKind(job.kind) ?? job.kind,
        queue: stepQueue,
        ...(priority === 0 ? {} : { priority }),
        ...(job.delayMs > 0 ? { delayMs: Math.ceil(job.delayMs) } : {}),
        ...(domain === undefined ? {} : { requirements: [`domain=${domain}`] }),
        ...(timeoutMs > 0 ? { limits: { timeoutMs: Math.ceil(timeoutMs) } } : {}),
        ...(job.limitsOf === undefined ? {} : { under: [{ limit: taskLimit(job.limitsOf), ifKnown: true }] }),
        // Read by claims for workers that poll; those of our own say that they live by their heartbeats.
        ...(responseMs === responseUsualMs ? {} : { meta: { responseMs } }),
      });
      number = this.templates.length;
      this.numbers.set(key, number);
    }
    this.templateOf.push(number);
    this.ids.push(job.stepId);
    this.payloads.push(isLarge(payloadText) ? inputInStep : payloadText);
  }
}

function runRow({ before, after, kept }: RunChange, decision: Written): string {
  const { definition } = after;
  const changing = {
    id: after.id,
    revision: before?.revision ?? 0,
    status: after.status,
    next: after.nextSeq,
    wake: after.endedAt === undefined ? decision.wakeAt : undefined,
    removed: decision.removed.length > 0,
    updated: after.updatedAt,
    ended: after.endedAt,
    retried: after.lastRetriedAt,
    reason: clean(after.reason),
    facts: runFacts(after),
    correlation: clean(after.correlationId),
  };
  const defined = kept === undefined ? {} : { definition: kept.hash, version: definition.version ?? 1 };
  if (before !== undefined) return JSON.stringify({ ...changing, ...defined });
  return JSON.stringify({
    ...changing,
    ...defined,
    name: definition.name,
    priority: after.priority,
    idempotency: clean(after.idempotencyKey),
    createdBy: clean(after.createdBy),
    event: clean(after.event),
    created: after.createdAt,
    parentRun: after.parent?.runId,
    parentStep: after.parent?.stepId,
  });
}

/** undefined: none of them has changed; `null`: as it was. */
function runDocuments(
  before: Run | undefined,
  after: Run,
): Record<'input' | 'output' | 'variables', string> | undefined {
  const textOrNull = (field: 'input' | 'output' | 'variables'): string =>
    before !== undefined && before[field] === after[field] ? 'null' : JSON.stringify(after[field]);
  const texts = {
    input: textOrNull('input'),
    output: textOrNull('output'),
    variables: textOrNull('variables'),
  };
  return texts.input === 'null' && texts.output === 'null' && texts.variables === 'null' ? undefined : texts;
}

function changedRow(runId: string, revision: number, step: Step): string {
  return JSON.stringify({ run: runId, seq: step.seq, revision, ...changingFields(step) });
}

function freshRow(runId: string, revision: number, step: Step): string {
  return JSON.stringify({
    run: runId,
    seq: step.seq,
    id: step.id,
    revision,
    ref: clean(step.ref),
    type: clean(step.type),
    name: clean(step.name),
    ...(step.type === 'EVENT' ? { event: clean(textAt(step.output, 'event_produced')) } : {}),
    ...changingFields(step),
  });
}

function textAt(document: JsonObject, name: string): string | undefined {
  const value = document[name];
  return typeof value === 'string' ? value : undefined;
}

function changingFields(step: Step): Record<string, unknown> {
  return {
    // That of a loop is the one in which it is.
    iteration: step.iteration,
    retries: step.retryCount,
    status: step.status,
    scheduled: step.scheduledAt,
    started: step.startedAt,
    updated: step.updatedAt,
    ended: step.endedAt,
    reason: clean(step.reason),
    facts: stepFacts(step),
  };
}

/** The same document goes into the step and its job; it is written out once. */
function textOf(document: JsonObject, texts: Map<object, string>): string {
  let text = texts.get(document);
  if (text === undefined) {
    text = JSON.stringify(document);
    texts.set(document, text);
  }
  return text;
}

/** A character has at most three bytes: short texts need not be measured. */
function isLarge(text: string): boolean {
  return text.length > inputTwiceMaxBytes / 3 && Buffer.byteLength(text) > inputTwiceMaxBytes;
}

/** PostgreSQL has no texts with NUL. */
function clean<Text extends string | undefined>(text: Text): Text {
  return text?.includes('\0') === true ? (text.replaceAll('\0', '\uFFFD') as Text) : text;
}

function jsonArray(texts: readonly string[]): string {
  return `[${texts.join(',')}]`;
}
