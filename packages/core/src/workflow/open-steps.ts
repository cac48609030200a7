/**
 * Steps that wait for a worker or are with one, as far as this process has to know them: their runs, and their inputs, which
 * the jobs do not repeat. What it wrote itself is at hand while it has a worker of its own; the rest is read, many at once.
 */

import type { RunStore } from './run-store.ts';

/** Payload of the job of a step: the input stands in the step alone. */
export const inputInStep = '{"input":"in the step"}';

interface OpenStep {
  readonly runId: string;
  /** As JSON. */
  readonly input: string;
}

interface Waiting {
  readonly resolve: (input: string) => void;
  readonly reject: (error: unknown) => void;
}

const stepsMost = 50_000;
const charactersMost = 64 * 1024 * 1024;
/** Steps that are read by one statement. */
const readMost = 500;

export class OpenSteps {
  private readonly store: RunStore;
  /** The oldest first. */
  private readonly steps = new Map<string, OpenStep>();
  private characters = 0;
  private waiting = new Map<string, Waiting[]>();
  private reading = false;
  /** A worker of this process has asked for a step: what is written from now on may be for it. */
  private wanted = false;

  constructor(store: RunStore) {
    this.store = store;
  }

  /** A step whose job was written. @param input as JSON */
  add(stepId: string, runId: string, input: string): void {
    if (this.wanted) this.keep(stepId, { runId, input });
  }

  /** The input of a step, as JSON; at once where it is at hand. Rejects with an error of the database, or if it is not there. */
  inputOf(stepId: string): string | Promise<string> {
    this.wanted = true;
    const known = this.steps.get(stepId);
    if (known !== undefined) return known.input;
    return new Promise((resolve, reject) => {
      const others = this.waiting.get(stepId);
      if (others === undefined) this.waiting.set(stepId, [{ resolve, reject }]);
      else others.push({ resolve, reject });
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
    this.characters -= known.input.length;
  }

  private keep(stepId: string, step: OpenStep): void {
    this.forget(stepId);
    this.steps.set(stepId, step);
    this.characters += step.input.length;
    for (const oldest of this.steps.keys()) {
      if (this.steps.size <= stepsMost && this.characters <= charactersMost) return;
      this.forget(oldest);
    }
  }

  private async readAll(): Promise<void> {
    while (this.waiting.size > 0) {
      const asked = [...this.waiting].slice(0, readMost);
      for (const [stepId] of asked) this.waiting.delete(stepId);
      await this.read(asked);
    }
    this.reading = false;
  }

  private async read(asked: readonly (readonly [string, readonly Waiting[]])[]): Promise<void> {
    try {
      const found = await this.store.inputs(asked.map(([stepId]) => stepId));
      for (const [stepId, runId, input] of found) this.keep(stepId, { runId, input });
      const inputs = new Map(found.map(([stepId, , input]) => [stepId, input]));
      for (const [stepId, waiting] of asked) {
        const input = inputs.get(stepId);
        for (const { resolve, reject } of waiting) {
          if (input === undefined) reject(new Error(`step ${stepId} is not there`));
          else resolve(input);
        }
      }
    } catch (error) {
      for (const [, waiting] of asked) for (const { reject } of waiting) reject(error);
    }
  }
}
