/**
 * Whether anything more will come of a run by itself. A server answers before it has done all that follows, and what it
 * does in the background is seen by whoever looks early; only a run that is settled can be compared.
 */

/** The part of a run that conversations need. */
export interface RunFacts {
  readonly status: string;
  readonly tasks: readonly StepFacts[];
}

interface StepFacts {
  readonly taskId: string;
  readonly referenceTaskName: string;
  readonly status: string;
  readonly taskType: string;
  readonly subWorkflowId?: string;
}

/** These are open until somebody or something outside ends them. */
const waiting = new Set(['WAIT', 'HUMAN', 'SUB_WORKFLOW']);
/** These are open while others are. */
const around = new Set(['JOIN', 'EXCLUSIVE_JOIN', 'DO_WHILE']);
/** These the server does itself, and is about to. */
const own = new Set([
  'DYNAMIC',
  'DECISION',
  'EVENT',
  'FORK',
  'HTTP',
  'INLINE',
  'JSON_JQ_TRANSFORM',
  'LAMBDA',
  'NOOP',
  'SET_VARIABLE',
  'START_WORKFLOW',
  'SWITCH',
  'TERMINATE',
]);

export function isSettled({ status, tasks }: RunFacts): boolean {
  const open = tasks.filter(isOpen);
  if (status !== 'RUNNING' && status !== 'PAUSED') return open.length === 0;
  const rests = open.every(
    (step) => !own.has(step.taskType) && (isWorkers(step) || step.status === 'IN_PROGRESS'),
  );
  return rests && (status === 'PAUSED' || open.some(({ taskType }) => !around.has(taskType)));
}

/** The runs of steps, which may go on when the run itself is settled. */
export function childrenOf({ tasks }: RunFacts): string[] {
  return tasks.flatMap(({ taskType, subWorkflowId }) =>
    taskType === 'SUB_WORKFLOW' && subWorkflowId !== undefined && subWorkflowId !== '' ? [subWorkflowId] : [],
  );
}

function isOpen({ status }: StepFacts): boolean {
  return status === 'SCHEDULED' || status === 'IN_PROGRESS';
}

function isWorkers({ taskType }: StepFacts): boolean {
  return !waiting.has(taskType) && !around.has(taskType) && !own.has(taskType);
}
