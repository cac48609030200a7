/** What a JavaScript user does with @io-orkes/conductor-javascript; prints what it saw, a JSON object a line. */
import {
  MetadataClient,
  NonRetryableException,
  orkesConductorClient,
  SchedulerClient,
  simpleTask,
  switchTask,
  TaskClient,
  TaskManager,
  WorkflowExecutor,
  waitTaskDuration,
} from '@io-orkes/conductor-javascript';

const waitMs = 90_000;
const ended = new Set(['COMPLETED', 'FAILED', 'TERMINATED', 'TIMED_OUT']);
const quiet = { info() {}, error() {}, debug() {}, warn() {} };

const client = await orkesConductorClient({ serverUrl: process.env.CONDUCTOR_SERVER_URL });
const executor = new WorkflowExecutor(client);
const metadata = new MetadataClient(client);
const tasks = new TaskClient(client);
const scheduler = new SchedulerClient(client);

const workers = [
  {
    taskDefName: 'js_add',
    execute: async ({ inputData }) => done({ sum: inputData.a + inputData.b }),
    concurrency: 3,
  },
  { taskDefName: 'js_text', execute: async ({ inputData }) => done({ text: `<${inputData.n}>` }) },
  {
    taskDefName: 'js_stumble',
    execute: async ({ inputData }) => {
      throw new Error(`stumbled over ${inputData.n}`);
    },
  },
  {
    taskDefName: 'js_refuse',
    execute: async () => {
      throw new NonRetryableException('never again');
    },
  },
  { taskDefName: 'js_domain', domain: 'cool', execute: async () => done({ domain: 'cool' }) },
];
const manager = new TaskManager(client, workers, {
  logger: quiet,
  options: { pollInterval: 20, concurrency: 1, workerID: 'js-worker' },
});

await definitions();
manager.startPolling();
try {
  await runs();
} finally {
  await manager.stopPolling();
}
await control();
await byHand();
await signals();
await search();
await schedules();
await rehearsal();
await errors();
saw('end');

function done(outputData) {
  return { status: 'COMPLETED', outputData };
}

function saw(what, facts = {}) {
  process.stdout.write(`${JSON.stringify({ saw: what, ...facts })}\n`);
}

async function until(what, look) {
  const deadline = performance.now() + waitMs;
  while (performance.now() < deadline) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ${waitMs} ms for ${what}`);
}

async function refused(what, call) {
  try {
    await call();
    saw(what, { refused: false });
  } catch (error) {
    saw(what, { refused: true, name: error.name });
  }
}

async function finished(run) {
  return until(`the end of ${run}`, async () => {
    const found = await executor.getWorkflow(run, true);
    return ended.has(found.status) ? found : undefined;
  });
}

function start(name, input = {}, more = {}) {
  return executor.startWorkflow({ name, version: 1, input, ...more });
}

function simple(name, reference, inputParameters = {}) {
  return simpleTask(reference, name, inputParameters);
}

async function define(name, list, more = {}) {
  await executor.registerWorkflow(true, {
    name,
    version: 1,
    ownerEmail: 'a@example.org',
    inputParameters: [],
    timeoutSeconds: 0,
    tasks: list,
    ...more,
  });
}

async function definitions() {
  for (const name of ['add', 'text', 'stumble', 'refuse', 'domain', 'hand', 'hand_two']) {
    await metadata.registerTask({
      name: `js_${name}`,
      retryCount: 1,
      retryDelaySeconds: 0,
      timeoutSeconds: 120,
      responseTimeoutSeconds: 60,
      ownerEmail: 'a@example.org',
    });
  }
  saw('task definition', { retries: (await metadata.getTask('js_add')).retryCount });
  const list = [
    simple('js_add', 'first', { a: '${workflow.input.a}', b: '${workflow.input.b}' }),
    simple('js_text', 'second', { n: '${first.output.sum}' }),
    switchTask('choose', '${workflow.input.more}', {
      yes: [simple('js_add', 'third', { a: 100, b: '${first.output.sum}' })],
    }),
  ];
  await define('js_sum', list, {
    outputParameters: { sum: '${first.output.sum}', text: '${second.output.text}' },
  });
  const read = await metadata.getWorkflowDef('js_sum', 1);
  saw('workflow definition', {
    name: read.name,
    version: read.version,
    tasks: read.tasks.map(({ type }) => type),
  });
  await define('js_stumbles', [simple('js_stumble', 'oops', { n: 7 })]);
  await define('js_refused', [simple('js_refuse', 'no')]);
  await define('js_in_domain', [simple('js_domain', 'there')]);
  await define('js_hands', [simple('js_hand', 'one'), simple('js_hand_two', 'two')]);
  await define(
    'js_waits',
    ['wait', 'again'].map((name) => ({ name, taskReferenceName: name, type: 'WAIT', inputParameters: {} })),
  );
  await define('js_short', [waitTaskDuration('pause', '1 second')]);
  const names = new Set((await metadata.getAllWorkflowDefs()).map(({ name }) => name));
  saw('workflow definitions', { known: names.has('js_sum') && names.has('js_waits') });
}

async function runs() {
  const run = await start('js_sum', { a: 1, b: 2, more: 'yes' }, { correlationId: 'js-sum', priority: 5 });
  const { status, output, priority, tasks: steps } = await finished(run);
  saw('run', {
    status,
    output,
    priority,
    tasks: steps.map((step) => [step.referenceTaskName, step.taskType, step.status]),
  });
  saw('worker', { ids: [...new Set(steps.map(({ workerId }) => workerId).filter(Boolean))] });
  const byName = await finished(
    await executor.startWorkflowByName('js_sum', { a: 3, b: 4 }, 1, 'js-by-name', 2),
  );
  saw('run by name', { status: byName.status, output: byName.output, correlationId: byName.correlationId });
  for (const name of ['js_stumbles', 'js_refused']) {
    const failed = await finished(await start(name));
    const reason = failed.tasks.at(-1).reasonForIncompletion;
    saw(name, { status: failed.status, tasks: failed.tasks.map((step) => step.status), reason });
  }
  const there = await finished(await start('js_in_domain', {}, { taskToDomain: { js_domain: 'cool' } }));
  saw('domain', { status: there.status, output: there.output });
  const many = await Promise.all(Array.from({ length: 10 }, (_, n) => start('js_sum', { a: n, b: n })));
  const sums = [];
  for (const each of many) sums.push((await finished(each)).output.sum);
  saw('many', { sums });
  const request = { name: 'js_sum', version: 1, input: { a: 5, b: 6 } };
  const executed = await executor.executeWorkflow(request, 'js_sum', 1, 'js-request');
  saw('executed', { status: executed.status, output: executed.output });
  const short = await finished(await start('js_short'));
  saw('waited', { status: short.status });
  saw('poll data', {
    queues: (await tasks.getTaskPollData('js_add')).map(({ queueName, workerId }) => [queueName, workerId]),
  });
}

async function control() {
  const run = await start('js_waits');
  const status = async () => (await executor.getWorkflow(run, false)).status;
  await blocked(run, 'wait');
  await executor.pause(run);
  saw('paused', { status: await status() });
  await executor.resume(run);
  saw('resumed', { status: await status() });
  await executor.terminate(run, 'enough');
  const stopped = await executor.getWorkflow(run, true);
  saw('terminated', {
    status: stopped.status,
    reason: stopped.reasonForIncompletion,
    tasks: stopped.tasks.map((step) => step.status),
  });
  await executor.restart(run, false);
  saw('restarted', { status: await status() });
  await executor.terminate(run, 'again');
  await executor.retry(run, false);
  saw('retried', { status: await status() });
  await executor.terminate(run, 'again');
  saw('rerun', { same: (await executor.reRun(run, {})) === run, status: await status() });
  await blocked(run, 'wait');
  await executor.updateTaskByRefName('wait', run, 'COMPLETED', { by: 'reference' });
  const { status: now, workflowId } = await executor.getWorkflowStatus(run, true, true);
  saw('status', { status: now, same: workflowId === run });
  await executor.terminate(run, 'at last');
  await executor.deleteWorkflow(run, false);
  await refused('deleted', () => executor.getExecution(run));
}

async function byHand() {
  const run = await start('js_hands');
  saw('queue size', { sizes: await tasks.getQueueSizeForTask(['js_hand']) });
  const steps = (await executor.getWorkflow(run, true)).tasks;
  const { taskId } = steps[0];
  await tasks.addTaskLog(taskId, 'a line of log');
  const logs = await until('the log', async () => {
    const found = await tasks.getTaskLogs(taskId);
    return found?.length > 0 ? found : undefined;
  });
  saw('log', { lines: logs.map(({ log }) => log.replaceAll('"', '')) });
  await executor.updateTask(taskId, run, 'COMPLETED', { nested: { list: [1, null, 'x'] } });
  const task = await tasks.getTask(taskId);
  saw('task', { status: task.status, output: task.outputData });
  const last = await executor.updateTaskSync('two', run, 'COMPLETED', { last: true });
  saw('updated at once', { status: last.status, output: last.output });
  const other = await start('js_hands');
  await executor.skipTasksFromWorkflow(other, 'two', {});
  await tasks.updateTaskResult(other, 'one', 'COMPLETED', { by: 'hand' });
  const skipped = await finished(other);
  saw('skipped', { status: skipped.status, tasks: skipped.tasks.map((step) => step.status).toSorted() });
}

async function blocked(run, reference) {
  return until(`${reference} in progress`, async () => {
    const { tasks: steps } = await executor.getWorkflow(run, true);
    const last = steps.at(-1);
    return last?.referenceTaskName === reference && last.status === 'IN_PROGRESS';
  });
}

async function signals() {
  const run = await start('js_waits');
  await blocked(run, 'wait');
  await executor.signalAsync(run, 'COMPLETED', { signal: 1 });
  await blocked(run, 'again');
  const answer = await executor.signal(run, 'COMPLETED', { signal: 2 }, 'TARGET_WORKFLOW');
  saw('signal', { kind: answer.responseType, same: answer.targetWorkflowId === run });
  const { status, tasks: steps } = await finished(run);
  saw('signalled', { status, outputs: steps.map((step) => step.outputData) });
}

async function search() {
  const query = "workflowType = 'js_sum' AND correlationId = 'js-sum'";
  const found = await until('the run in the index', async () => {
    const answer = await executor.search(0, 10, query, '*');
    return answer.results?.length > 0 ? answer : undefined;
  });
  saw('search', {
    hits: found.totalHits,
    results: found.results.map((one) => [one.workflowType, one.status, one.correlationId]),
  });
  const none = await executor.search(0, 1, "workflowType = 'js_none'", '*');
  saw('search without hits', { hits: none.totalHits, results: none.results });
}

async function schedules() {
  await scheduler.saveSchedule({
    name: 'js_schedule',
    cronExpression: '0 0 * * * ?',
    paused: true,
    startWorkflowRequest: { name: 'js_sum', version: 1, input: { a: 1, b: 1 } },
  });
  const found = await scheduler.getSchedule('js_schedule');
  saw('schedule', { cron: found.cronExpression, paused: found.paused });
  const times = await scheduler.getNextFewSchedules('0 0 * * * ?', undefined, undefined, 3);
  saw('next times', {
    count: times.length,
    apart: times.slice(1).map((time, index) => (time - times[index]) / 1000),
  });
  saw('schedules', { names: (await scheduler.getAllSchedules('js_sum')).map(({ name }) => name) });
  await scheduler.deleteSchedule('js_schedule');
  await refused('schedule deleted', () => scheduler.getSchedule('js_schedule'));
}

async function rehearsal() {
  const workflowDef = await metadata.getWorkflowDef('js_sum', 1);
  const taskRefToMockOutput = {
    first: [{ status: 'COMPLETED', output: { sum: 9 } }],
    second: [{ status: 'COMPLETED', output: { text: 'x' } }],
  };
  const tested = await executor.testWorkflow({
    name: 'js_sum',
    version: 1,
    input: {},
    workflowDef,
    taskRefToMockOutput,
  });
  saw('rehearsal', { status: tested.status, output: tested.output });
}

async function errors() {
  await refused('unknown workflow', () => start('js_no_such'));
  await refused('unknown run', () => executor.getExecution('00000000-0000-4000-8000-000000000000'));
  await refused('unknown definition', () => metadata.getWorkflowDef('js_no_such', 1));
  const run = await start('js_waits');
  await refused('resume what is not paused', () => executor.resume(run));
  await refused('restart what runs', () => executor.restart(run, false));
  await executor.terminate(run, 'done');
  await refused('pause what has ended', () => executor.pause(run));
}
