/** How an attempt of a step behaves: its task definition, or what stands in for one. Pure. */

import type { StepDefinition, TaskDefinition } from './definition.ts';

/** What a SIMPLE step has whose task nobody registered: Conductor's defaults. */
const unregistered = { retryCount: 3, responseTimeoutSeconds: 3_600 };
/** The same for steps that no worker does. */
const builtIn = { retryCount: 0, responseTimeoutSeconds: 0 };

const intMax = 2_147_483_647;

/** The task definition that counts for a step: the one that was registered when its run began, or defaults. */
export function taskSettings(definition: StepDefinition): TaskDefinition {
  if (definition.taskDefinition !== undefined) return definition.taskDefinition;
  return { name: definition.name, ...(isWorkerType(definition.type) ? unregistered : builtIn) };
}

/** Done by whoever polls for the name of the step. */
export function isWorkerType(type: string | undefined): boolean {
  return type === undefined || type === 'SIMPLE' || type === 'CUSTOM' || type === 'DYNAMIC';
}

/** How often a step is tried again after its first attempt. */
export function retriesOf(definition: StepDefinition): number {
  return definition.retryCount ?? taskSettings(definition).retryCount ?? 3;
}

/**
 * How long to wait before the next attempt, in seconds, with fractions where there is jitter: FIXED, LINEAR_BACKOFF
 * (delay × factor × attempts), EXPONENTIAL_BACKOFF (delay × 2^retries); what is more than 2^31 − 1 is that; then the cap,
 * then between 0 and `backoffJitterMs` more (Conductor, DeciderService.retry).
 *
 * @param retryCount Attempts before the one that failed.
 * @param random 0 to below 1.
 * @example retryDelaySeconds({ name: 'a', retryLogic: 'EXPONENTIAL_BACKOFF', retryDelaySeconds: 10 }, 3, 0) // 80
 */
export function retryDelaySeconds(task: TaskDefinition, retryCount: number, random: number): number {
  const delay = task.retryDelaySeconds ?? 60;
  const plain =
    task.retryLogic === 'EXPONENTIAL_BACKOFF'
      ? delay * 2 ** retryCount
      : task.retryLogic === 'LINEAR_BACKOFF'
        ? delay * (task.backoffScaleFactor ?? 1) * (retryCount + 1)
        : delay;
  const cap = task.maxRetryDelaySeconds ?? 0;
  const bounded = Math.min(plain, intMax, cap > 0 ? cap : intMax);
  return bounded + ((task.backoffJitterMs ?? 0) * random) / 1_000;
}
