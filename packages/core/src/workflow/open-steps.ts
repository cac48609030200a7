/**
 * Steps that wait for a worker or are with one, as far as this process has to know them: their runs, and their inputs, which
 * the jobs do not repeat. What it wrote itself is at hand while it has a worker of its own; the rest is read, many at once.
 */

import type { JsonObject } from '../domain/workflow/definition.ts';
import type { RunSize, RunStore, StepInput } from './run-store.ts';

/**
 * Payload of the job of a step: the input stands in the step alone, since this revision of its run. A step that is done again
 * keeps its id and may have another input: who has one at hand knows by the payload whether it is that of the job.
 */
export function inputInStep(revision: number): string {
  return `{"input":"in the step","revision":${revision}}`;
}

/** The first revision of its run that has the input. */
function revisionOf(payload: string): number {
  return Number(/"revision":(\d+)/.exec(payload)?.[1] ?? Number.POSITIVE_INFINITY);
}

/** A step whose run is to be in memory. `revision`: the first one of its run that has the input. */
export interface WantedStep {
  readonly stepId: string;
  readonly runId: string;
  readonly revision: number;
}

/** `bytes`: of the documents of its run, as far as they were read for that. */
export interface InputAtHand {
  readonly input: JsonObject;
  readonly bytes: number;
}

export interface OpenStepsParts {
  readonly store: Pick<RunStore, 'inputs'>;
  /** Inputs by steps, whose runs are read where they are not in memory; without those that can't be had so. */
  readonly inputsAtHand: (wanted: readonly WantedStep[]) => Promise<ReadonlyMap<string, InputAtHand>>;
}

interface OpenStep {
  readonly runId: string;
  /** Of the job for which the input is. */
  readonly payload: string;
  /** As JSON; or as it was decided, which nobody may change. */
  readonly input: string | JsonObject;
}

interface KeptStep extends OpenStep {
  /** Of the input, as JSON, roughly. */
  readonly characters: number;
}

interface Waiting {
  readonly payload: string;
  readonly resolve: (input: string | JsonObject) => void;
  readonly reject: (error: unknown) => void;
}

const stepsMost = 50_000;
const charactersMost = 64 * 1024 * 1024;
/** Steps that are read by one statement. */
const readMost = 500;
/** Steps that are claimed and not asked for yet. */
const expectedMost = 3_000;
/** What is read before it is asked for, by what the last ones had. */
const aheadCharacters = 1024 * 1024;
/** Such a run is read whole: who does one of its steps will go on with it, and finds it at hand. */
const small: RunSize = { steps: 100, bytes: 16_384 };

export class OpenSteps {
  private readonly parts: OpenStepsParts;
  /** The oldest first. */
  private readonly steps = new Map<string, KeptStep>();
  private characters = 0;
  private waiting = new Map<string, Waiting[]>();
  /** Payloads by step, in the order in which they will be asked for. */
  private readonly expected = new Map<string, string>();
  /** Mean length of what was read for a step; undefined: nothing was. */
  private meanLength: number | undefined;
  private reading = false;
  /** A worker of this process has asked for a step: what is written from now on may be for it. */
  private wanted = false;

  constructor(parts: OpenStepsParts) {
    this.parts = parts;
  }

  /** A step whose job was written. */
  add(stepId: string, step: OpenStep): void {
    if (this.wanted) this.keep(stepId, step);
  }

  /** A worker has claimed a step, and will ask for its input: it may be read together with others. */
  expect(stepId: string, payload: string): void {
    if (this.expected.size < expectedMost && this.steps.get(stepId)?.payload !== payload)
      this.expected.set(stepId, payload);
  }

  /**
   * The input of a step, as JSON, or as it is where this process has its run; at once where it is at hand. Rejects with an
   * error of the database, or if it is not there.
   * @param payload of its job
   */
  inputOf(stepId: string, payload: string): string | JsonObject | Promise<string | JsonObject> {
    this.wanted = true;
    this.expected.delete(stepId);
    const known = this.steps.get(stepId);
    if (known?.payload === payload) return known.input;
    return new Promise((resolve, reject) => {
      const others = this.waiting.get(stepId);
      if (others === undefined) this.waiting.set(stepId, [{ payload, resolve, reject }]);
      else others.push({ payload, resolve, reject });
      if (this.reading) return;
      this.reading = true;
      setImmediate(() => void this.readAll());
    });
  }

  /** undefined: it is not at hand. */
  runOf(stepId: string): string | undefined {
    return this.steps.get(stepId)?.runId;
  }

  forget(stepId: string): void {
    const known = this.steps.get(stepId);
    if (known === undefined) return;
    this.steps.delete(stepId);
    this.characters -= known.characters;
  }

  private keep(stepId: string, step: OpenStep): void {
    this.forget(stepId);
    const { runId, payload, input } = step;
    const characters = typeof input === 'string' ? input.length : roughLength(input);
    this.steps.set(stepId, { runId, payload, input, characters });
    this.characters += characters;
    if (!this.isFull) return;
    for (const oldest of this.steps.keys()) {
      if (!this.isFull) return;
      this.forget(oldest);
    }
  }

  private get isFull(): boolean {
    return this.steps.size > stepsMost || this.characters > charactersMost;
  }

  private async readAll(): Promise<void> {
    while (this.waiting.size > 0) {
      const asked = [...this.waiting].slice(0, readMost);
      for (const [stepId] of asked) this.waiting.delete(stepId);
      await this.read(asked, this.takeAhead(readMost - asked.length));
    }
    this.reading = false;
  }

  /** Steps that will be asked for next, as many as are worth reading with others. */
  private takeAhead(most: number): ReadonlyMap<string, string> {
    const ahead = new Map<string, string>();
    const { meanLength } = this;
    if (meanLength === undefined) return ahead;
    const room = Math.min(most, Math.floor(aheadCharacters / Math.max(meanLength, 1)));
    for (const [stepId, payload] of this.expected) {
      if (ahead.size >= room) break;
      this.expected.delete(stepId);
      ahead.set(stepId, payload);
    }
    return ahead;
  }

  private async read(
    asked: readonly (readonly [string, readonly Waiting[]])[],
    ahead: ReadonlyMap<string, string>,
  ): Promise<void> {
    try {
      const payloads = new Map([
        ...ahead,
        ...asked.map(([id, waiting]) => [id, waiting.at(-1)?.payload ?? ''] as const),
      ]);
      const found = await this.inputsOf(payloads);
      for (const [stepId, step] of found) this.keep(stepId, step);
      for (const [stepId, waiting] of asked) {
        const step = found.get(stepId);
        for (const { resolve, reject } of waiting) {
          if (step === undefined) reject(new Error(`step ${stepId} is not there`));
          else resolve(step.input);
        }
      }
    } catch (error) {
      for (const [, waiting] of asked) for (const { reject } of waiting) reject(error);
    }
  }

  private async inputsOf(payloads: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, OpenStep>> {
    const found = new Map<string, OpenStep>();
    const take = (rows: readonly StepInput[]): void => {
      for (const [stepId, runId, input] of rows) {
        if (input === undefined) continue;
        this.noteLength(input.length);
        found.set(stepId, { runId, input, payload: payloads.get(stepId) ?? '' });
      }
    };
    const rows = await this.parts.store.inputs([...payloads.keys()], small);
    take(rows);
    const wanted: WantedStep[] = [];
    for (const [stepId, runId, input] of rows)
      if (input === undefined)
        wanted.push({ stepId, runId, revision: revisionOf(payloads.get(stepId) ?? '') });
    if (wanted.length === 0) return found;
    const inputs = await this.atHand(wanted);
    const alone: string[] = [];
    for (const { stepId, runId } of wanted) {
      const known = inputs.get(stepId);
      if (known === undefined) {
        alone.push(stepId);
        continue;
      }
      this.noteLength(known.bytes);
      found.set(stepId, { runId, input: known.input, payload: payloads.get(stepId) ?? '' });
    }
    if (alone.length > 0) take(await this.parts.store.inputs(alone));
    return found;
  }

  /** What can't be read with its run is read alone: one run that nobody can read holds up no steps of others. */
  private async atHand(wanted: readonly WantedStep[]): Promise<ReadonlyMap<string, InputAtHand>> {
    try {
      return await this.parts.inputsAtHand(wanted);
    } catch {
      return new Map();
    }
  }

  private noteLength(length: number): void {
    this.meanLength = (this.meanLength ?? length) * 0.9 + length * 0.1;
  }
}

/** Characters of a document as JSON, but for what has to be escaped. */
function roughLength(document: JsonObject): number {
  let length = 0;
  const waiting: unknown[] = [document];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string') length += value.length;
    else if (typeof value === 'object' && value !== null)
      for (const name in value) {
        length += Array.isArray(value) ? 1 : name.length + 4;
        waiting.push((value as Record<string, unknown>)[name]);
      }
    else length += 4;
  }
  return length;
}
