/** What is told of runs, tasks, queues, logs and events, and how wrong calls are answered. */
import { define, defineTasks, type Json, type Scenario, simple, step, workflow } from './scenario.ts';

const unknown = '00000000-0000-4000-8000-000000000000';
/** So many are found, and what is found has come to the index with its end. */
const done = (n: number) => (body: unknown) => {
  const { totalHits, results = [] } = body as { totalHits?: number; results?: { status: string }[] };
  return totalHits === n && results.every(({ status }) => status === 'COMPLETED');
};

export const reading: readonly Scenario[] = [
  {
    name: 'start-refused',
    async run(talk) {
      await define(talk, 'start-refused', [step('NOOP', 'a')]);
      await talk.post('/workflow', { name: 'no-such-workflow', input: {} });
      await talk.post('/workflow', { name: 'start-refused', version: 9, input: {} });
      await talk.post('/workflow', { input: {} });
      await talk.post('/workflow', { name: 'start-refused', input: {}, priority: 100 });
      await talk.post('/workflow', { name: 'start-refused', input: {}, priority: -1 });
      await talk.post('/workflow', { name: 'start-refused', input: null });
      await talk.post('/workflow', { name: 'start-refused', input: 'text' });
      await talk.post('/workflow', { name: 'start-refused' });
      await talk.post('/workflow/start-refused', { n: 1 }, { correlationId: 'c', priority: 3, version: 1 });
      await talk.post('/workflow/no-such-workflow', {});
      await talk.post('/workflow', {
        name: 'inline-definition',
        workflowDef: workflow('inline-definition', [step('NOOP', 'a')]),
      });
      await talk.call('POST', '/workflow', { text: 'no json' });
    },
  },
  {
    name: 'runs',
    async run(talk) {
      await define(talk, 'runs', [step('NOOP', 'a')], { outputParameters: { n: '${workflow.input.n}' } });
      const run = await talk.start('runs', { n: 1 }, { correlationId: 'runs-1' });
      await talk.ended(run);
      await talk.get(`/workflow/${run}`);
      await talk.get(`/workflow/${run}`, { includeTasks: false });
      await talk.get(`/workflow/${run}/status`);
      await talk.get(`/workflow/${run}/status`, { includeOutput: true, includeVariables: true });
      await talk.get(`/workflow/${run}/tasks`);
      await talk.get(`/workflow/${run}/tasks`, { status: 'FAILED', count: 1 });
      await talk.get('/workflow/runs/correlated/runs-1', { includeClosed: true });
      await talk.get('/workflow/runs/correlated/runs-1', { includeClosed: true, includeTasks: true });
      await talk.get('/workflow/runs/correlated/runs-1');
      await talk.post('/workflow/runs/correlated', ['runs-1', 'none'], { includeClosed: true });
      await talk.get('/workflow/running/runs');
      await talk.get(`/workflow/${unknown}`);
      await talk.get(`/workflow/${unknown}/status`);
      await talk.get(`/workflow/${unknown}/tasks`);
      await talk.get('/workflow/not-an-id');
    },
  },
  {
    name: 'tasks',
    async run(talk) {
      await defineTasks(talk, { name: 'tasks_a' });
      await define(talk, 'tasks', [simple('tasks', 'a')]);
      await talk.get('/tasks/poll/tasks_a', { workerid: 'w' });
      await talk.get('/tasks/poll/batch/tasks_a', { workerid: 'w', count: 5, timeout: 10 });
      await talk.get('/tasks/poll/batch/tasks_a', { workerid: 'w', timeout: 5001 });
      await talk.get('/tasks/poll/batch/tasks_a', { workerid: 'w', count: 'many' });
      const run = await talk.start('tasks');
      await talk.start('tasks');
      await talk.get('/tasks/queue/sizes', { taskType: 'tasks_a' });
      await talk.get('/tasks/queue/size', { taskType: 'tasks_a' });
      await talk.get('/tasks/queue/all', {}, (body) => (body as Json)['tasks_a']);
      await talk.get('/tasks/queue/all/verbose', {}, (body) => (body as Json)['tasks_a']);
      const batch = (await talk.get('/tasks/poll/batch/tasks_a', {
        workerid: 'w',
        count: 5,
        timeout: 100,
      })) as { taskId: string }[];
      await talk.get('/tasks/queue/sizes', { taskType: 'tasks_a' });
      await talk.get('/tasks/queue/polldata', { taskType: 'tasks_a' });
      await talk.get('/tasks/queue/polldata', { taskType: 'never-polled' });
      await talk.get(`/tasks/${batch[0]?.taskId}`);
      await talk.get(`/tasks/${unknown}`);
      await talk.post('/tasks', { workflowInstanceId: run, taskId: unknown, status: 'COMPLETED' });
      await talk.post('/tasks', { taskId: batch[0]?.taskId, status: 'COMPLETED' });
      await talk.post('/tasks', { workflowInstanceId: run, status: 'COMPLETED' });
      await talk.post('/tasks', { workflowInstanceId: run, taskId: batch[0]?.taskId, status: 'NEARLY' });
      await talk.post('/tasks/queue/requeue/tasks_a');
    },
  },
  {
    name: 'logs',
    async run(talk) {
      await defineTasks(talk, { name: 'logs_a' });
      await define(talk, 'logs', [simple('logs', 'a')]);
      const run = await talk.start('logs');
      const task = await talk.task('logs_a');
      await talk.get(`/tasks/${task.taskId}/log`);
      await talk.call('POST', `/tasks/${task.taskId}/log`, { text: 'plain line' });
      await talk.answers(`/tasks/${task.taskId}/log`, (body) => Array.isArray(body) && body.length === 1);
      const logs = [{ log: 'from the report', taskId: task.taskId, createdTime: 1_700_000_000_000 }];
      await talk.report(task, 'COMPLETED', {}, { logs });
      await talk.ended(run);
      await talk.answers(`/tasks/${task.taskId}/log`, (body) => Array.isArray(body) && body.length === 2);
      await talk.get(`/tasks/${unknown}/log`);
    },
  },
  {
    name: 'search',
    async run(talk) {
      await define(talk, 'search', [step('NOOP', 'a')], { outputParameters: { n: '${workflow.input.n}' } });
      const runs = [];
      for (const n of [1, 2, 3])
        runs.push(await talk.start('search', { n }, { correlationId: `search-${n}` }));
      for (const run of runs) await talk.ended(run);
      const query = "workflowType = 'search'";
      await talk.answers('/workflow/search', done(3), { query, sort: 'correlationId:ASC' });
      await talk.get('/workflow/search', {
        query: `${query} AND status = 'COMPLETED'`,
        size: 1,
        sort: 'startTime:ASC',
      });
      await talk.get('/workflow/search', { query: `${query} AND correlationId = 'search-2'` });
      await talk.get('/workflow/search', {
        query: "workflowType IN (search,other) AND correlationId IN ('search-1','search-3')",
        sort: 'startTime:ASC',
      });
      await talk.get('/workflow/search', { query: `${query} AND status = 'FAILED'` });
      await talk.get('/workflow/search', { query: `workflowId = '${runs[0]}'` });
      await talk.get('/workflow/search', {
        query: `${query} AND startTime > 0`,
        size: 1,
        sort: 'startTime:ASC',
      });
      await talk.get('/workflow/search', { query, start: 2, size: 2, sort: 'startTime:ASC' });
      await talk.get('/workflow/search-v2', { query: `workflowId = '${runs[0]}'` });
      await talk.answers('/tasks/search', done(3), {
        query: "workflowType = 'search'",
        sort: 'startTime:ASC',
      });
      await talk.get(
        '/tasks/search-v2',
        { query: `workflowId = '${runs[0]}'` },
        (body) => (body as { totalHits: number }).totalHits,
      );
      await talk.get('/workflow/search', { query, size: 5001 });
      await talk.get('/workflow/search', { query, size: 'big' });
    },
  },
  {
    name: 'events',
    async run(talk) {
      await define(talk, 'event-target', [step('NOOP', 'a')]);
      const handler = {
        name: 'on-made',
        event: 'conductor:event-source:made',
        active: true,
        condition: '$.n > 1',
        actions: [
          {
            action: 'start_workflow',
            start_workflow: {
              name: 'event-target',
              version: 1,
              correlationId: '${id}',
              input: { n: '${n}' },
            },
          },
        ],
      };
      await talk.post('/event', handler);
      await talk.post('/event', handler);
      await talk.get('/event', {}, (body) =>
        (body as { name: string }[]).filter(({ name }) => name === 'on-made'),
      );
      await talk.get('/event/conductor:event-source:made');
      await talk.get('/event/conductor:event-source:made', { activeOnly: true });
      await talk.get('/event/conductor:no:such');
      await talk.put('/event', { ...handler, active: false });
      await talk.put('/event', { ...handler, name: 'no-such-handler' });
      await talk.post('/event', { ...handler, name: 'bad-handler', actions: [] });
      await talk.post('/event', { event: 'x:y', actions: handler.actions });
      await talk.delete('/event/on-made');
      await talk.delete('/event/on-made');
    },
  },
  {
    name: 'event-step',
    async run(talk) {
      const make = step('EVENT', 'made', {
        sink: 'conductor',
        inputParameters: { n: '${workflow.input.n}' },
      });
      await define(talk, 'event-step', [make]);
      await define(talk, 'event-started', [step('NOOP', 'a')], {
        outputParameters: { n: '${workflow.input.n}' },
      });
      await talk.post('/event', {
        name: 'on-event-step',
        event: 'conductor:event-step:made',
        active: true,
        condition: '$.n > 1',
        actions: [
          {
            action: 'start_workflow',
            start_workflow: {
              name: 'event-started',
              version: 1,
              correlationId: 'by-event',
              input: { n: '${n}' },
            },
          },
        ],
      });
      await talk.ended(await talk.start('event-step', { n: 1 }));
      await talk.ended(await talk.start('event-step', { n: 2 }));
      const query = { includeClosed: true };
      await talk.answers(
        '/workflow/event-started/correlated/by-event',
        (body) => Array.isArray(body) && body.length > 0 && body[0].status === 'COMPLETED',
        query,
      );
      await talk.delete('/event/on-event-step');
    },
  },
  {
    name: 'rehearsal',
    async run(talk) {
      const tasks = [
        simple('rehearsal', 'a', { inputParameters: { n: '${workflow.input.n}' } }),
        step('SWITCH', 'route', {
          evaluatorType: 'value-param',
          expression: 'to',
          inputParameters: { to: '${a.output.to}' },
          decisionCases: { x: [simple('rehearsal', 'b')] },
          defaultCase: [simple('rehearsal', 'c')],
        }),
      ];
      const workflowDef = workflow('rehearsal', tasks, { outputParameters: { last: '${b.output.n}' } });
      const taskRefToMockOutput = {
        a: [{ status: 'COMPLETED', output: { to: 'x' } }],
        b: [{ status: 'COMPLETED', output: { n: 5 } }],
      };
      await talk.post('/workflow/test', {
        name: 'rehearsal',
        version: 1,
        input: { n: 1 },
        workflowDef,
        taskRefToMockOutput,
      });
      await talk.post('/workflow/test', {
        name: 'rehearsal',
        version: 1,
        workflowDef,
        taskRefToMockOutput: { a: taskRefToMockOutput.a },
      });
      const fails = { a: [{ status: 'FAILED', output: {} }] };
      await talk.post('/workflow/test', {
        name: 'rehearsal',
        version: 1,
        workflowDef,
        taskRefToMockOutput: fails,
      });
    },
  },
  {
    name: 'schedules',
    async run(talk) {
      await define(talk, 'scheduled', [step('NOOP', 'a')]);
      const schedule = {
        name: 'every-hour',
        cronExpression: '0 0 * * * *',
        zoneId: 'UTC',
        paused: true,
        startWorkflowRequest: { name: 'scheduled', version: 1, input: { n: 1 } },
      };
      await talk.post('/scheduler/schedules', schedule);
      await talk.get('/scheduler/schedules/every-hour');
      await talk.get('/scheduler/schedules', { workflowName: 'scheduled' });
      await talk.put('/scheduler/schedules/every-hour/resume');
      await talk.put('/scheduler/schedules/every-hour/pause', undefined, { reason: 'rest' });
      await talk.get('/scheduler/schedules/every-hour');
      await talk.get('/scheduler/nextFewSchedules', { cronExpression: '0 0 0 1 1 *', limit: 2 });
      await talk.get('/scheduler/schedules/search', { workflowName: 'scheduled' });
      await talk.post('/scheduler/schedules', {
        ...schedule,
        name: 'broken',
        cronExpression: 'now and then',
      });
      await talk.post('/scheduler/schedules', {
        ...schedule,
        name: 'unknown-target',
        startWorkflowRequest: { name: 'none' },
      });
      await talk.get('/scheduler/schedules/no-such');
      await talk.put('/scheduler/schedules/no-such/pause');
      await talk.delete('/scheduler/schedules/every-hour');
      await talk.delete('/scheduler/schedules/every-hour');
    },
  },
  {
    name: 'others',
    async run(talk) {
      await talk.get('/health');
      await talk.get('/queue/', {});
      await talk.post(`/queue/update/${unknown}/a/COMPLETED`, {});
      await talk.post(`/admin/sweep/requeue/${unknown}`);
      await talk.get('/tasks/externalstoragelocation', {
        path: 'p',
        operation: 'WRITE',
        payloadType: 'NO_SUCH',
      });
      await talk.get('/no/such/route');
      await talk.call('PATCH', '/workflow', { body: {} });
    },
  },
];
