/** Worker steps: data that is passed on, outcomes, retries, time-outs, call-backs. */
import { findStep } from '../conversation.ts';
import { define, defineTasks, type Scenario, simple } from './scenario.ts';

export const plain: readonly Scenario[] = [
  {
    name: 'two-steps',
    async run(talk) {
      await defineTasks(
        talk,
        { name: 'two-steps_a' },
        { name: 'two-steps_b', inputTemplate: { unit: 'kg', n: 0 } },
      );
      const tasks = [
        simple('two-steps', 'a', {
          inputParameters: { order: '${workflow.input.order}', fixed: [1, null, 'x'] },
        }),
        simple('two-steps', 'b', {
          inputParameters: {
            n: '${a.output.n}',
            text: 'order ${workflow.input.order} has ${a.output.n} of ${a.output.missing}',
            list: '${a.output.list[1]}',
            all: '${a.output.list[*].id}',
            whole: '${a.output}',
            missing: '${a.output.no.such.thing}',
            escaped: '$${a.output.n}',
            run: '${workflow.correlationId}',
          },
        }),
      ];
      const outputParameters = { n: '${b.output.n}', from: '${a.output.list}', status: '${a.status}' };
      await define(talk, 'two-steps', tasks, { inputParameters: ['order'], outputParameters });
      const run = await talk.start('two-steps', { order: 'o-1' }, { correlationId: 'c-1', priority: 7 });
      await talk.look(run);
      await talk.finish('two-steps_a', { n: 3, list: [{ id: 1 }, { id: 2 }] });
      await talk.finish('two-steps_b', { n: 4, nothing: null });
      await talk.ended(run);
    },
  },
  {
    name: 'swift-spelling',
    async run(talk) {
      const tasks = [{ name: 'swift-spelling_a', taskReferenceName: 'a', type: 'CUSTOM' }];
      await defineTasks(talk, { name: 'swift-spelling_b' });
      await define(talk, 'swift-spelling', [simple('swift-spelling', 'b')]);
      await talk.post('/metadata/workflow', { name: 'swift-custom', version: 1, tasks });
      await talk.get('/metadata/workflow/swift-custom');
    },
  },
  {
    name: 'no-task-definition',
    async run(talk) {
      await define(talk, 'no-task-definition', [simple('no-task-definition', 'a')]);
      const run = await talk.start('no-task-definition');
      await talk.finish('no-task-definition_a', {}, 'FAILED_WITH_TERMINAL_ERROR', {
        reasonForIncompletion: 'broken',
      });
      await talk.ended(run);
    },
  },
  {
    name: 'retries',
    async run(talk) {
      await defineTasks(talk, { name: 'retries_a', retryCount: 2, retryDelaySeconds: 0 });
      await define(talk, 'retries', [simple('retries', 'a', { inputParameters: { n: 1 } })]);
      const run = await talk.start('retries');
      await talk.finish('retries_a', { try: 1 }, 'FAILED', { reasonForIncompletion: 'first' });
      await talk.finish('retries_a', { try: 2 }, 'FAILED', { reasonForIncompletion: 'second' });
      await talk.finish('retries_a', { try: 3 }, 'FAILED', { reasonForIncompletion: 'third' });
      await talk.ended(run);
    },
  },
  {
    name: 'retry-then-well',
    async run(talk) {
      const back = { retryLogic: 'EXPONENTIAL_BACKOFF', retryDelaySeconds: 1, retryCount: 1 };
      await defineTasks(talk, { name: 'retry-then-well_a', ...back });
      await define(talk, 'retry-then-well', [simple('retry-then-well', 'a')]);
      const run = await talk.start('retry-then-well');
      await talk.finish('retry-then-well_a', {}, 'FAILED');
      await talk.finish('retry-then-well_a', { well: true });
      await talk.ended(run);
    },
  },
  {
    name: 'retry-count-of-step',
    async run(talk) {
      await defineTasks(talk, { name: 'retry-count-of-step_a', retryCount: 5, retryDelaySeconds: 0 });
      await define(talk, 'retry-count-of-step', [simple('retry-count-of-step', 'a', { retryCount: 1 })]);
      const run = await talk.start('retry-count-of-step');
      await talk.finish('retry-count-of-step_a', {}, 'FAILED');
      await talk.finish('retry-count-of-step_a', {}, 'FAILED');
      await talk.ended(run);
    },
  },
  {
    name: 'optional',
    async run(talk) {
      await defineTasks(talk, { name: 'optional_a' }, { name: 'optional_b' });
      await define(talk, 'optional', [simple('optional', 'a', { optional: true }), simple('optional', 'b')]);
      const run = await talk.start('optional');
      await talk.finish('optional_a', { half: true }, 'FAILED', { reasonForIncompletion: 'no luck' });
      await talk.finish('optional_b', { done: true });
      await talk.ended(run);
    },
  },
  {
    name: 'in-progress',
    async run(talk) {
      await defineTasks(talk, { name: 'in-progress_a' });
      await define(talk, 'in-progress', [simple('in-progress', 'a')]);
      const run = await talk.start('in-progress');
      const task = await talk.task('in-progress_a');
      await talk.report(task, 'IN_PROGRESS', { percent: 50 }, { callbackAfterSeconds: 1 });
      await talk.look(run);
      await talk.get(`/tasks/${task.taskId}`);
      const again = await talk.task('in-progress_a');
      await talk.report(again, 'COMPLETED', { percent: 100 });
      await talk.ended(run);
      // What comes after the end changes nothing.
      await talk.report(again, 'FAILED', { percent: 0 });
      await talk.look(run);
    },
  },
  {
    name: 'reset-callbacks',
    async run(talk) {
      await defineTasks(talk, { name: 'reset-callbacks_a' });
      await define(talk, 'reset-callbacks', [simple('reset-callbacks', 'a')]);
      const run = await talk.start('reset-callbacks');
      const task = await talk.task('reset-callbacks_a');
      await talk.report(task, 'IN_PROGRESS', {}, { callbackAfterSeconds: 3600 });
      await talk.post(`/workflow/${run}/resetcallbacks`);
      await talk.finish('reset-callbacks_a', { at: 'once' });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/resetcallbacks`);
    },
  },
  {
    name: 'by-reference',
    async run(talk) {
      await defineTasks(talk, { name: 'by-reference_a' }, { name: 'by-reference_b' });
      await define(talk, 'by-reference', [simple('by-reference', 'a'), simple('by-reference', 'b')]);
      const run = await talk.start('by-reference');
      await talk.post(`/tasks/${run}/a/IN_PROGRESS`, { one: 1 }, { workerid: 'me' });
      await talk.post(`/tasks/${run}/a/COMPLETED`, { two: 2 }, { workerid: 'me' });
      await talk.post(`/tasks/${run}/b/COMPLETED/sync`, { three: 3 });
      await talk.post(`/tasks/${run}/b/COMPLETED`, {});
      await talk.post(`/tasks/${run}/none/COMPLETED`, {});
      await talk.look(run);
    },
  },
  {
    name: 'update-v2',
    async run(talk) {
      await defineTasks(talk, { name: 'update-v2_a' });
      await define(talk, 'update-v2', [simple('update-v2', 'a')]);
      const run = await talk.start('update-v2');
      const task = await talk.task('update-v2_a');
      const result = { workflowInstanceId: run, taskId: task.taskId, workerId: 'worker-1' };
      await talk.post('/tasks/update-v2', { ...result, status: 'COMPLETED', outputData: { n: 1 } });
      await talk.ended(run);
    },
  },
  {
    name: 'response-timeout',
    async run(talk) {
      await defineTasks(talk, {
        name: 'response-timeout_a',
        responseTimeoutSeconds: 1,
        retryCount: 1,
        retryDelaySeconds: 0,
      });
      await define(talk, 'response-timeout', [simple('response-timeout', 'a')]);
      const run = await talk.start('response-timeout');
      await talk.task('response-timeout_a');
      await talk.reaches(run, ({ tasks }) => tasks.length === 2, 'a second attempt');
      await talk.finish('response-timeout_a', { second: true });
      await talk.ended(run);
    },
  },
  {
    name: 'timeout-of-task',
    async run(talk) {
      const limits = { timeoutSeconds: 1, responseTimeoutSeconds: 1, timeoutPolicy: 'TIME_OUT_WF' };
      await defineTasks(talk, { name: 'timeout-of-task_a', ...limits });
      await define(talk, 'timeout-of-task', [simple('timeout-of-task', 'a')]);
      const run = await talk.start('timeout-of-task');
      await talk.task('timeout-of-task_a');
      await talk.ended(run);
    },
  },
  {
    name: 'timeout-of-workflow',
    async run(talk) {
      await defineTasks(talk, { name: 'timeout-of-workflow_a' });
      const limits = { timeoutSeconds: 1, timeoutPolicy: 'TIME_OUT_WF' };
      await define(talk, 'timeout-of-workflow', [simple('timeout-of-workflow', 'a')], limits);
      const run = await talk.start('timeout-of-workflow');
      await talk.ended(run);
    },
  },
  {
    name: 'start-delay',
    async run(talk) {
      await defineTasks(talk, { name: 'start-delay_a' });
      await define(talk, 'start-delay', [simple('start-delay', 'a', { startDelay: 1 })]);
      const run = await talk.start('start-delay');
      await talk.look(run);
      await talk.finish('start-delay_a');
      await talk.ended(run);
    },
  },
  {
    name: 'domains',
    async run(talk) {
      await defineTasks(talk, { name: 'domains_a' }, { name: 'domains_b' });
      await define(talk, 'domains', [simple('domains', 'a'), simple('domains', 'b')]);
      const run = await talk.start(
        'domains',
        {},
        { taskToDomain: { '*': 'north,NO_DOMAIN', domains_a: 'south' } },
      );
      await talk.get('/tasks/poll/domains_a', { workerid: 'w' });
      const task = await talk.task('domains_a', 'south');
      await talk.report(task, 'COMPLETED');
      await talk.finish('domains_b');
      await talk.ended(run);
    },
  },
  {
    name: 'input-template',
    async run(talk) {
      await defineTasks(talk, {
        name: 'input-template_a',
        inputTemplate: { unit: 'kg', deep: { a: 1, b: 2 }, n: 5 },
      });
      const tasks = [
        simple('input-template', 'a', { inputParameters: { deep: { a: 3 }, n: '${workflow.input.n}' } }),
      ];
      const inputTemplate = { colour: 'red', size: 'L' };
      await define(talk, 'input-template', tasks, {
        inputTemplate,
        outputParameters: { all: '${workflow.input}' },
      });
      const run = await talk.start('input-template', { size: 'S' });
      await talk.finish('input-template_a');
      await talk.ended(run);
    },
  },
  {
    name: 'variables',
    async run(talk) {
      await defineTasks(talk, { name: 'variables_a' });
      const set = {
        name: 'set',
        taskReferenceName: 'set',
        type: 'SET_VARIABLE',
        inputParameters: { total: '${workflow.input.n}', list: [1, '${workflow.variables.start}'] },
      };
      const tasks = [set, simple('variables', 'a', { inputParameters: { all: '${workflow.variables}' } })];
      await define(talk, 'variables', tasks, {
        variables: { start: 'one', total: 0 },
        outputParameters: { v: '${workflow.variables}' },
      });
      const run = await talk.start('variables', { n: 12 });
      const { tasks: steps } = await talk.look(run);
      if (findStep({ status: '', tasks: steps }, 'a') !== undefined) await talk.finish('variables_a');
      await talk.ended(run);
    },
  },
];
