/**
 * Turns decisions about runs into the arguments of the SQL function `apply_runs`: whole new rows by columns, with the documents apart
 * and only where they have changed. Pure.
 */

import type { RunEvent, StepJob } from '../domain/workflow/decision.ts';
import type { JsonObject, WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { Origins } from '../domain/workflow/origins.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import { stepKind } from '../domain/workflow/step-kind.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import {
  clean,
  documentArray,
  integers,
  jsonList,
  NewStepColumns,
  RunColumns,
  StepColumns,
  uuids,
} from './apply-columns.ts';
import type { KeptApart, LargeDocument } from './kept-apart.ts';
import { inputInStep } from './open-steps.ts';
import { definitionOf, type Places, stepDefinitions } from './rows.ts';
import { slotChange } from './slot-change.ts';
import type { EndingLease, EndingStep } from './step-runs.ts';
import { taskLimit } from './task-limit.ts';

/** What `apply_runs.sql` is given where nothing is handed on. */
const nothingHanded: readonly null[] = [null, null, null, null, null, null, null];

/** The queue in which steps wait. */
export const stepQueue = 'workflow';

/** A definition as runs keep it, with its hash and its text. */
export interface KeptDefinition {
  readonly hash: string;
  readonly definition: WorkflowDefinition;
  readonly text: string;
}

/** A job of a step that its worker still has, and that has ended. */
type EndingJob = Pick<EndingStep, 'stepId' | 'fence' | 'lease'>;

/** What is to be written of a run, as of a `Decision`. */
interface Written {
  readonly steps: Iterable<Step>;
  readonly removed: ReadonlySet<number>;
  readonly jobs: Iterable<StepJob>;
  readonly withdrawn: Iterable<string>;
  readonly wakeAt: number | undefined;
}

/** A change of one run, ready to be written. */
export interface RunChange {
  /** As it was read; undefined: it is new. */
  readonly before: Run | undefined;
  /** As it will be. */
  readonly after: Run;
  /** What the run's rows have, and what is written now adds to. */
  readonly origins: Origins;
  /** What is known of the step with this number before the change. */
  stepBefore(seq: number): Step | undefined;
  /** undefined: nothing is to be written about it, but marks are done with. */
  readonly decision: Written | undefined;
  /** Marks that were decided on. */
  readonly decided: readonly number[];
  /** What other runs are to hear. */
  readonly tells: readonly { readonly runId: string; readonly event: RunEvent }[];
  /** Of a run that is new, or begins anew with another definition. */
  readonly kept: KeptDefinition | undefined;
  /** Somebody hears of it where the run finds no room under its limit and is not to stand in line. Default false. */
  readonly refusable?: boolean;
  /** Whoever asked for it; jobs of theirs end in the same write. */
  readonly requests: readonly { readonly ending: EndingJob | undefined }[];
  /** Of its documents, as they are written: told by who writes them. */
  bytes: number;
  /** That all jobs have which it makes: told by who writes them. */
  payload: string;
}

/** Steps that go to a worker at once: see `Handing`. */
export interface HandingOn {
  readonly worker: string;
  readonly before: readonly number[];
  laneOf(stepId: string): number | undefined;
  made(stepId: string, rest: string | null): void;
}

/** Longest time limit that a job may have; longer ones are looked at when the run is. */
const jobTimeoutMaxMs = 604_800_000;
/** What `claim_remote` takes where nothing else is said. */
const responseUsualMs = 3_600_000;

/** The values of `apply_runs.sql`, and the documents in it that are to be kept apart: once they are, it is asked again. */
interface ApplyValues {
  readonly values: unknown[];
  /** The last of them: what is handed on, and runs of which documents are taken away that others have values in. */
  readonly last: readonly unknown[];
  /** Leases that go with it: all that is left of their jobs ends here. */
  readonly finished: readonly EndingLease[];
  readonly large: readonly LargeDocument[];
}

export function applyValues(
  changes: readonly RunChange[],
  apart: Pick<KeptApart, 'pathOf' | 'isLarge'>,
  handing?: HandingOn,
): ApplyValues {
  const sorted = [...changes].sort((a, b) => (a.after.id < b.after.id ? -1 : 1));
  const write = new Write(apart, handing);
  for (const change of sorted) write.add(change);
  return { values: write.values(), last: write.last(), finished: write.finished, large: write.large };
}

/** Collects what one statement writes. */
class Write {
  readonly large: LargeDocument[] = [];
  finished: readonly EndingLease[] = [];
  private readonly apart: Pick<KeptApart, 'pathOf' | 'isLarge'>;
  private readonly runs = new RunColumns();
  private readonly documentRuns: string[] = [];
  private readonly inputs: (string | undefined)[] = [];
  private readonly outputs: (string | undefined)[] = [];
  private readonly variables: (string | undefined)[] = [];
  private readonly kept = new Map<string, KeptDefinition>();
  private readonly fresh = new NewStepColumns();
  private readonly changed = new StepColumns();
  private readonly removed: string[] = [];
  private readonly markRuns: string[] = [];
  private readonly events: string[] = [];
  private readonly decided: number[] = [];
  private readonly withdrawn: string[] = [];
  private readonly again: string[] = [];
  private readonly jobs = new JobRows();
  private readonly handedJobs = new JobRows();
  private readonly handing: HandingOn | undefined;
  private readonly endings: EndingJob[] = [];
  private readonly parted: string[] = [];

  constructor(apart: Pick<KeptApart, 'pathOf' | 'isLarge'>, handing: HandingOn | undefined) {
    this.apart = apart;
    this.handing = handing;
  }

  add(change: RunChange): void {
    const { before, after, decision } = change;
    const { id } = after;
    this.decided.push(...change.decided);
    if (decision === undefined) return;
    for (const { ending } of change.requests) if (ending !== undefined) this.endings.push(ending);
    if (takesAway(change, decision)) {
      this.parted.push(id);
      change.origins.clear();
    }
    const documents = this.runDocuments(before, after);
    this.noteInput(change, documents?.input);
    this.runs.add(change, decision.wakeAt, moreOf(change, decision), this.placesOf(after, id));
    if (documents !== undefined) {
      this.documentRuns.push(id);
      this.inputs.push(documents.input);
      this.outputs.push(documents.output);
      this.variables.push(documents.variables);
    }
    if (change.kept !== undefined) this.kept.set(change.kept.hash, change.kept);
    const revision = (before?.revision ?? 0) + 1;
    const texts = new DocumentTexts();
    const steps = this.addSteps(change, decision, revision, texts);
    change.bytes = 500 * steps + texts.characters;
    for (const seq of decision.removed) this.removed.push(`{"run":"${id}","seq":${seq}}`);
    for (const { runId, event } of change.tells) {
      this.markRuns.push(runId);
      this.events.push(JSON.stringify(event));
    }
    this.withdrawn.push(...decision.withdrawn);
    change.payload = inputInStep(revision);
    for (const job of decision.jobs) {
      if (job.again) this.again.push(`{"id":"${job.stepId}","delay":${job.delayMs}}`);
      else this.addJob(job, change.payload);
    }
  }

  private addJob(job: StepJob, payload: string): void {
    const lane = this.handing?.laneOf(job.stepId);
    if (lane === undefined) this.jobs.add(job, payload);
    else this.handing?.made(job.stepId, this.handedJobs.add(job, payload, lane));
  }

  last(): readonly unknown[] {
    const { handing, handedJobs } = this;
    const parted = `{${this.parted.join(',')}}`;
    if (handing === undefined) return [...nothingHanded, parted];
    const { worker, before } = handing;
    return [
      worker,
      ...handedJobs.values(),
      `{${handedJobs.lanes.join(',')}}`,
      `{${before.join(',')}}`,
      parted,
    ];
  }

  values(): unknown[] {
    const { fresh, changed, jobs } = this;
    const kept = [...this.kept.values()];
    this.finished = finishedBy(this.endings);
    return [
      ...this.runs.values(),
      uuids(this.documentRuns),
      documentArray(this.inputs),
      documentArray(this.outputs),
      documentArray(this.variables),
      textArray(kept.map(({ hash }) => hash)),
      jsonList(kept.map(({ text }) => text)),
      ...fresh.values(),
      ...changed.keys,
      ...changed.changing,
      jsonList(this.removed),
      `{${this.markRuns.join(',')}}`,
      jsonList(this.events),
      `{${this.decided.join(',')}}`,
      `{${this.withdrawn.join(',')}}`,
      jsonList(this.again),
      ...jobs.values(),
      ...endingValues(this.endings, this.finished),
    ];
  }

  /** @returns how many */
  private addSteps(change: RunChange, decision: Written, revision: number, texts: DocumentTexts): number {
    const { before, after } = change;
    const { id } = after;
    const definitions = stepDefinitions(after.definition);
    let count = 0;
    for (const step of decision.steps) {
      count += 1;
      if (before === undefined || step.seq >= before.nextSeq) {
        const known = definitionOf(definitions, step.ref) === step.definition;
        const input = this.documentText(change, step, 'input', texts);
        const output = this.documentText(change, step, 'output', texts);
        const definition = known ? undefined : JSON.stringify(step.definition);
        const places = this.placesOf(step, id);
        this.fresh.add(id, step, { input, output, definition, places }, revision);
        continue;
      }
      const was = change.stepBefore(step.seq);
      const input = was?.input === step.input ? undefined : this.documentText(change, step, 'input', texts);
      const output =
        was?.output === step.output ? undefined : this.documentText(change, step, 'output', texts);
      this.changed.add(id, revision, step, { input, output, places: this.placesOf(step, id) });
    }
    return count;
  }

  private placesOf({ input, output }: Pick<Step, 'input' | 'output'>, runId: string): Places {
    return { input: this.apart.pathOf(input, runId), output: this.apart.pathOf(output, runId) };
  }

  /** Of one that is kept apart an empty one. What an EVENT sends is read from its row. */
  private documentText(
    { after: { id: runId }, origins }: RunChange,
    step: Step,
    field: 'input' | 'output',
    texts: DocumentTexts,
  ): string {
    const document = step[field];
    if (this.apart.pathOf(document, runId) !== undefined) return '{}';
    const isOutput = field === 'output';
    if (step.type === 'EVENT') return texts.of(document);
    const kind = isOutput ? 'stepOutput' : 'stepInput';
    const passedOn = origins.textOf(document, isOutput ? step.seq : undefined);
    if (passedOn !== undefined) texts.count(passedOn, document);
    const written = passedOn ?? texts.of(document);
    if (this.apart.isLarge(kind, written)) {
      const text = texts.of(document);
      this.large.push({ runId, kind, document, text });
      return text;
    }
    if (isOutput && isOrigin(step)) origins.add(step.seq, document, written);
    return written;
  }

  /** The input of a run may be in its row, where its steps find it. */
  private noteInput({ after, origins }: RunChange, written: string | undefined): void {
    if (!origins.lacks(after.input) || this.apart.pathOf(after.input, after.id) !== undefined) return;
    const text = written ?? JSON.stringify(after.input);
    if (!this.apart.isLarge('runInput', text)) origins.add(0, after.input, text);
  }

  /** undefined: none of them has changed, or, of one, it is as it was. */
  private runDocuments(
    before: Run | undefined,
    after: Run,
  ): Record<'input' | 'output' | 'variables', string | undefined> | undefined {
    const changedText = (field: 'input' | 'output' | 'variables'): string | undefined => {
      const document = after[field];
      if (before !== undefined && before[field] === document) return undefined;
      if (this.apart.pathOf(document, after.id) !== undefined) return '{}';
      const text = JSON.stringify(document);
      const kind = field === 'input' ? 'runInput' : 'runOutput';
      if (field !== 'variables' && this.apart.isLarge(kind, text))
        this.large.push({ runId: after.id, kind, document, text });
      return text;
    };
    const texts = {
      input: changedText('input'),
      output: changedText('output'),
      variables: changedText('variables'),
    };
    return (texts.input ?? texts.output ?? texts.variables) === undefined ? undefined : texts;
  }
}

/** Jobs for `enqueue_many`: those that are alike share a template. */
class JobRows {
  /** Of those that are handed on, by template. */
  readonly lanes: number[] = [];
  private readonly templates: unknown[] = [];
  private readonly rests: (string | null)[] = [];
  private readonly templateOf: number[] = [];
  private readonly ids: string[] = [];
  private readonly payloads: string[] = [];
  private readonly numbers = new Map<string, number>();
  private last: { readonly job: StepJob; readonly number: number } | undefined;

  values(): unknown[] {
    const { templates, templateOf, ids, payloads } = this;
    return [
      JSON.stringify(templates),
      templates.length === 1 ? null : integers(templateOf),
      uuids(ids),
      jsonList(payloads),
    ];
  }

  /** @returns what its job has beside the payload: see `HandedStep` */
  add(job: StepJob, payload: string, lane = 0): string | null {
    const number =
      this.last !== undefined && areAlike(this.last.job, job) ? this.last.number : this.numberOf(job, lane);
    this.last = { job, number };
    this.templateOf.push(number);
    this.ids.push(job.stepId);
    this.payloads.push(payload);
    return this.rests[number - 1] ?? null;
  }

  /** Of its template, which is made where there is none like it. */
  private numberOf(job: StepJob, lane: number): number {
    const { domain, priority } = job;
    const timeoutMs = job.timeoutMs !== undefined && job.timeoutMs <= jobTimeoutMaxMs ? job.timeoutMs : 0;
    const responseMs = Math.ceil(Math.min(job.responseTimeoutMs ?? jobTimeoutMaxMs, jobTimeoutMaxMs));
    const times = `${job.delayMs} ${timeoutMs} ${responseMs}`;
    const key = JSON.stringify([priority, times, job.kind, domain, job.limitsOf]);
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    // Read by claims for workers that poll; those of our own say that they live by their heartbeats.
    const meta = responseMs === responseUsualMs ? {} : { meta: { responseMs } };
    const options = { ...(timeoutMs > 0 ? { limits: { timeoutMs: Math.ceil(timeoutMs) } } : {}), ...meta };
    this.templates.push({
      kind: stepKind(job.kind) ?? job.kind,
      queue: stepQueue,
      ...(priority === 0 ? {} : { priority }),
      ...(job.delayMs > 0 ? { delayMs: Math.ceil(job.delayMs) } : {}),
      ...(domain === undefined ? {} : { requirements: [`domain=${domain}`] }),
      ...options,
      ...(job.limitsOf === undefined ? {} : { under: [{ limit: taskLimit(job.limitsOf), ifKnown: true }] }),
    });
    this.lanes.push(lane);
    // As `claim_lane.sql` gives it, of a job that is new.
    const isBare = Object.keys(options).length === 0;
    this.rests.push(isBare ? null : JSON.stringify([0, 0, 0, 1, options, null, 0]));
    this.numbers.set(key, this.templates.length);
    return this.templates.length;
  }
}

/** Whether jobs have the same template. Most of a write are like the one before: to make their keys would cost more. */
function areAlike(a: StepJob, b: StepJob): boolean {
  return (
    a.kind === b.kind &&
    a.domain === b.domain &&
    a.priority === b.priority &&
    a.delayMs === b.delayMs &&
    a.timeoutMs === b.timeoutMs &&
    a.responseTimeoutMs === b.responseTimeoutMs &&
    a.limitsOf === b.limitsOf
  );
}

/** What there is to say of a run beside what each change writes: see `run_mores`. */
function moreOf({ before, after, kept, refusable }: RunChange, decision: Written): object | undefined {
  const { definition } = after;
  const slot = slotChange(before, after, refusable ?? false);
  const removed = decision.removed.size > 0 || undefined;
  const defined =
    kept === undefined ? undefined : { definition: kept.hash, version: definition.version ?? 1 };
  if (before !== undefined) {
    const same =
      removed === undefined && defined === undefined && before.correlationId === after.correlationId;
    return same && slot === undefined ? undefined : { removed, slot, ...defined };
  }
  return {
    slot,
    ...defined,
    name: definition.name,
    priority: after.priority,
    idempotency: clean(after.idempotencyKey),
    createdBy: clean(after.createdBy),
    event: clean(after.event),
    created: after.createdAt,
    parentRun: after.parent?.runId,
    parentStep: after.parent?.stepId,
  };
}

/** Whether values of its output may stand for those of other steps: it stays as it is while they are there. */
function isOrigin(step: Step): boolean {
  // Loops forget iterations.
  return step.endedAt !== undefined && step.iteration === 0;
}

/** Whether a document is changed or removed in which others may have values. */
function takesAway(change: RunChange, { steps, removed }: Written): boolean {
  const { before, after } = change;
  if (before === undefined) return false;
  if (before.input !== after.input) return true;
  for (const seq of removed) {
    const was = change.stepBefore(seq);
    if (was !== undefined && isOrigin(was)) return true;
  }
  for (const step of steps) {
    if (step.seq >= before.nextSeq) continue;
    const was = change.stepBefore(step.seq);
    // One that goes on again may get another output in a later write.
    if (was !== undefined && isOrigin(was) && (was.output !== step.output || !isOrigin(step))) return true;
  }
  return false;
}

/** Documents of one change as JSON: one that is in several places is written out once. */
class DocumentTexts {
  /** That they have in memory, roughly. */
  characters = 0;
  // Made where there is something to put in: there is one of this for each step that ends.
  private known: Map<object, string> | undefined;

  of(document: JsonObject): string {
    if (isEmpty(document)) return '{}';
    let text = this.known?.get(document);
    if (text === undefined) {
      text = JSON.stringify(document);
      this.known ??= new Map();
      this.known.set(document, text);
      this.characters += text.length;
    }
    return text;
  }

  /** Of one with values that stand elsewhere. Texts among these may be others in memory. */
  count(written: string, document: JsonObject): void {
    this.characters += written.length;
    for (const name in document) {
      const value = document[name];
      if (typeof value === 'string') this.characters += value.length;
    }
  }
}

function isEmpty(document: JsonObject): boolean {
  for (const _name in document) return false;
  return true;
}

/** Others of the same worker may be under way beside this write: a lease that both end jobs of goes with neither. */
function finishedBy(endings: readonly EndingJob[]): EndingLease[] {
  const ending = new Map<EndingLease, number>();
  for (const { lease } of endings) ending.set(lease, (ending.get(lease) ?? 0) + 1);
  return [...ending].flatMap(([lease, jobs]) => (lease.unsettled === jobs ? lease : []));
}

/** `leases`, `ended` (sorted: jobs are locked in the order of their ids), `fences`, `finished`. */
function endingValues(endings: readonly EndingJob[], finished: readonly EndingLease[]): unknown[] {
  const sorted = [...endings].sort((a, b) => (a.stepId < b.stepId ? -1 : 1));
  const leases = new Set(endings.map(({ lease }) => lease.id));
  return [
    `{${[...leases].join(',')}}`,
    uuids(sorted.map(({ stepId }) => stepId)),
    integers(sorted.map(({ fence }) => fence)),
    `{${finished.map(({ id }) => id).join(',')}}`,
  ];
}
