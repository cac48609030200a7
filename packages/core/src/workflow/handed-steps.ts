/** Steps that polls of this process were given, so that their reports need not ask for them. Bounded: the oldest go. */

import type { PolledStep } from './port.ts';

export interface HandedStep {
  readonly runId: string;
  readonly startedAt: number | undefined;
  readonly pollCount: number;
  readonly workerId: string | undefined;
}

const most = 100_000;

export class HandedSteps {
  private readonly steps = new Map<string, HandedStep>();

  add({ step, run }: PolledStep): void {
    const { startedAt, pollCount, workerId } = step;
    this.steps.delete(step.id);
    this.steps.set(step.id, { runId: run.id, startedAt, pollCount, workerId });
    if (this.steps.size <= most) return;
    for (const oldest of this.steps.keys()) {
      this.steps.delete(oldest);
      return;
    }
  }

  get(stepId: string): HandedStep | undefined {
    return this.steps.get(stepId);
  }

  forget(stepId: string): void {
    this.steps.delete(stepId);
  }
}
