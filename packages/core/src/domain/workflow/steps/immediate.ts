/** Steps that are over as soon as they begin: SET_VARIABLE, EVENT, NOOP; and KAFKA_PUBLISH, which is refused. */

import { utf8Bytes } from '../../payload-text.ts';
import { addStep, endStep, inputOf } from '../make-step.ts';
import { resolveIn } from '../scope.ts';
import type { StepType } from './step-type.ts';

export const setVariable: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    const { definition } = reached.node;
    const input = inputOf(draft, reached, id);
    const type = 'SET_VARIABLE';
    const step = addStep(draft, reached, { id, type, name: definition.name, status: 'IN_PROGRESS', input });
    const variables = Object.fromEntries([...Object.entries(draft.run.variables), ...Object.entries(input)]);
    const size = utf8Bytes(JSON.stringify(variables));
    const { variablesMaxBytes } = draft.context.limits;
    if (size > variablesMaxBytes) {
      const reason =
        `The variables payload size: ${size} of workflow: ${draft.run.id} is greater than the permissible limit: ` +
        `${Math.floor(variablesMaxBytes / 1_024)} kilobytes`;
      endStep(draft, step, 'FAILED_WITH_TERMINAL_ERROR', { reason });
      return;
    }
    draft.setRun({ variables });
    endStep(draft, step, 'COMPLETED');
  },
};

export const event: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    const { definition } = reached.node;
    const { run } = draft;
    const sink = resolveIn(draft, definition.sink ?? '', id);
    const asyncComplete = definition.asyncComplete ?? false;
    const input = { ...inputOf(draft, reached, id), sink, asyncComplete };
    const step = addStep(draft, reached, {
      id,
      type: 'EVENT',
      name: definition.name,
      status: 'IN_PROGRESS',
      input,
    });
    const name = eventName(sink, run.definition.name, step.ref);
    if (name === undefined) {
      endStep(draft, step, 'FAILED', { reason: `Invalid sink specified: ${String(sink)}` });
      return;
    }
    const payload = {
      ...input,
      workflowInstanceId: run.id,
      workflowType: run.definition.name,
      workflowVersion: run.definition.version ?? 1,
      correlationId: run.correlationId ?? null,
      taskToDomain: run.taskToDomain,
      event_produced: name,
    };
    draft.messages.push({ event: name, payload, stepId: id });
    if (asyncComplete) draft.change(step, { output: payload });
    else endStep(draft, step, 'COMPLETED', { output: payload });
  },
};

export const noop: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    const input = inputOf(draft, reached, id);
    const { name } = reached.node.definition;
    addStep(draft, reached, { id, type: 'NOOP', name, status: 'COMPLETED', input });
  },
};

export const kafkaPublish: StepType = {
  begin(draft, reached) {
    const id = draft.context.newId();
    const input = inputOf(draft, reached, id);
    const { name } = reached.node.definition;
    addStep(draft, reached, {
      id,
      type: 'KAFKA_PUBLISH',
      name,
      status: 'FAILED_WITH_TERMINAL_ERROR',
      input,
      reason:
        'KAFKA_PUBLISH needs a connection to a broker, which there is none of: publish from a worker instead',
    });
  },
};

/** The full name of an event: `conductor` and `conductor:NAME` are of the workflow. undefined: it can't be sent. */
function eventName(sink: unknown, workflow: string, ref: string): string | undefined {
  if (typeof sink !== 'string' || sink === '') return undefined;
  if (sink === 'conductor') return `conductor:${workflow}:${ref}`;
  const [, name] = /^conductor:(.+)$/s.exec(sink) ?? [];
  if (name !== undefined) return `conductor:${workflow}:${name}`;
  return /^[A-Za-z][\w-]*:.+$/s.test(sink) ? sink : undefined;
}
