/** Rows of runs and steps by columns, as `apply_runs.sql` takes them: PostgreSQL arrays, in bytes where that is less work. Pure. */

import type { JsonObject } from '../domain/workflow/definition.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import { doubleArray, integerArray, jsonArray, uuidArray } from '../store/binary-array.ts';
import { type Places, runFacts, stepFacts } from './rows.ts';

/** Of runs: what each change writes, and `more` where it has more to say. */
export class RunColumns {
  private readonly ids: string[] = [];
  private readonly revisions: number[] = [];
  private readonly statuses: string[] = [];
  private readonly nexts: number[] = [];
  private readonly wakes: (number | undefined)[] = [];
  private readonly updates: number[] = [];
  private readonly ends: (number | undefined)[] = [];
  private readonly mores: (string | undefined)[] = [];

  /**
   * @param more fields of `run_mores`; undefined: nothing of that has changed or is there
   * @param places of documents that are kept apart
   */
  add(
    { before, after }: { readonly before: Run | undefined; readonly after: Run },
    wakeAt: number | undefined,
    more: object | undefined,
    places: Places,
  ): void {
    const facts = runFacts(after, places);
    this.ids.push(after.id);
    this.revisions.push(before?.revision ?? 0);
    this.statuses.push(after.status);
    this.nexts.push(after.nextSeq);
    this.wakes.push(after.endedAt === undefined ? wakeAt : undefined);
    this.updates.push(after.updatedAt);
    this.ends.push(after.endedAt);
    const said =
      more ??
      (after.reason === undefined && after.lastRetriedAt === undefined && facts === undefined
        ? undefined
        : {});
    this.mores.push(said === undefined ? undefined : JSON.stringify({ ...lastingOf(after), facts, ...said }));
  }

  values(): unknown[] {
    return [
      uuids(this.ids),
      integers(this.revisions),
      plainArray(this.statuses),
      integers(this.nexts),
      doubles(this.wakes),
      doubles(this.updates),
      doubles(this.ends),
      documentArray(this.mores),
    ];
  }
}

/** What a run has mostly not; it is written whole. */
function lastingOf(run: Run): object {
  return {
    retried: run.lastRetriedAt,
    reason: clean(run.reason),
    correlation: clean(run.correlationId),
  };
}

/** Documents of a step as JSON, and where those are that are kept apart. */
interface DocumentTexts {
  readonly input: string | undefined;
  readonly output: string | undefined;
  readonly places: Places;
}

/** Of steps: what changes. */
export class StepColumns {
  private readonly runs: string[] = [];
  private readonly seqs: number[] = [];
  private readonly revisions: number[] = [];
  private readonly iterations: number[] = [];
  private readonly retries: number[] = [];
  private readonly statuses: string[] = [];
  private readonly scheduled: number[] = [];
  private readonly started: (number | undefined)[] = [];
  private readonly updated: number[] = [];
  private readonly ended: (number | undefined)[] = [];
  private readonly reasons: (string | undefined)[] = [];
  private readonly facts: (string | undefined)[] = [];
  private readonly inputs: (string | undefined)[] = [];
  private readonly outputs: (string | undefined)[] = [];

  get size(): number {
    return this.runs.length;
  }

  /** @param texts as JSON; undefined: as it was */
  add(runId: string, revision: number, step: Step, texts: DocumentTexts): void {
    this.runs.push(runId);
    this.seqs.push(step.seq);
    this.revisions.push(revision);
    // That of a loop is the one in which it is.
    this.iterations.push(step.iteration);
    this.retries.push(step.retryCount);
    this.statuses.push(step.status);
    this.scheduled.push(step.scheduledAt);
    this.started.push(step.startedAt);
    this.updated.push(step.updatedAt);
    this.ended.push(step.endedAt);
    this.reasons.push(clean(step.reason));
    const facts = JSON.stringify(stepFacts(step, texts.places));
    this.facts.push(facts === '{}' ? undefined : facts);
    this.inputs.push(texts.input);
    this.outputs.push(texts.output);
  }

  /** The columns that every step has: `new_…` and `old_…` have others around them. */
  get keys(): unknown[] {
    return [uuids(this.runs), integers(this.seqs), integers(this.revisions)];
  }

  get changing(): unknown[] {
    return [
      integers(this.iterations),
      integers(this.retries),
      plainArray(this.statuses),
      doubles(this.scheduled),
      doubles(this.started),
      doubles(this.updated),
      doubles(this.ended),
      quotedArray(this.reasons),
      documentArray(this.facts),
      documentArray(this.inputs),
      documentArray(this.outputs),
    ];
  }
}

/** Of steps that are new: what never changes. */
export class NewStepColumns {
  private readonly rows = new StepColumns();
  private readonly ids: string[] = [];
  private readonly refs: string[] = [];
  private readonly types: string[] = [];
  private readonly names: string[] = [];
  private readonly definitions: (string | undefined)[] = [];
  private readonly events: (string | undefined)[] = [];
  private sends = false;

  /** @param definition as JSON; undefined: that of the run has it */
  add(
    runId: string,
    step: Step,
    texts: DocumentTexts & { readonly definition: string | undefined },
    revision: number,
  ): void {
    this.rows.add(runId, revision, step, texts);
    this.ids.push(step.id);
    this.refs.push(clean(step.ref));
    this.types.push(clean(step.type));
    this.names.push(clean(step.name));
    this.definitions.push(texts.definition);
    const event = step.type === 'EVENT' ? textAt(step.output, 'event_produced') : undefined;
    this.events.push(clean(event));
    this.sends ||= event !== undefined;
  }

  values(): unknown[] {
    return [
      ...this.rows.keys,
      uuids(this.ids),
      quotedArray(this.refs),
      quotedArray(this.types),
      quotedArray(this.names),
      ...this.rows.changing,
      documentArray(this.definitions),
      this.sends ? quotedArray(this.events) : null,
    ];
  }
}

/** A `json[]`; undefined: null. */
export function documentArray(texts: readonly (string | undefined)[]): Buffer | string {
  return texts.length === 0 ? '{}' : jsonArray(texts);
}

/** A JSON array of texts that are JSON. */
export function jsonList(texts: readonly string[]): string {
  return `[${texts.join(',')}]`;
}

export function uuids(ids: readonly string[]): Buffer | string {
  return ids.length === 0 ? '{}' : uuidArray(ids);
}

export function integers(values: readonly number[]): Buffer | string {
  return values.length === 0 ? '{}' : integerArray(values);
}

/** Undefined: null. */
function doubles(values: readonly (number | undefined)[]): Buffer | string {
  return values.length === 0 ? '{}' : doubleArray(values);
}

/** Of texts without anything that an array would take for its own. */
export function plainArray(values: readonly string[]): string {
  // One text at once: adding to a text makes an object for each value, of columns that are many.
  return `{${values.join(',')}}`;
}

const special = /["\\]/g;

function quotedArray(values: readonly (string | undefined)[]): string {
  return plainArray(values.map((value) => (value === undefined ? 'null' : quoted(value))));
}

function quoted(value: string): string {
  return `"${value.includes('"') || value.includes('\\') ? value.replace(special, '\\$&') : value}"`;
}

/** PostgreSQL has no texts with NUL. */
export function clean<Text extends string | undefined>(text: Text): Text {
  return text?.includes('\0') === true ? (text.replaceAll('\0', '\uFFFD') as Text) : text;
}

function textAt(document: JsonObject, name: string): string | undefined {
  const value = document[name];
  return typeof value === 'string' ? value : undefined;
}
