/** Steps that the server does: scripts, jq, waiting, other workflows, events, HTTP, the end. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inline } from './branches.ts';
import { define, defineTasks, type Json, type Scenario, simple, step, workflow } from './scenario.ts';

let listening: Promise<string> | undefined;

/** The address of a server of HTTP that says what it was asked; its path says how it answers. */
function answering(): Promise<string> {
  listening ??= new Promise((resolve) => {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        response.sendDate = false;
        response.statusCode = Number(/^\/(\d+)$/.exec(pathname)?.[1] ?? 200);
        if (response.statusCode === 204 || response.statusCode === 500) {
          response.end();
          return;
        }
        const asked = { method: request.method, pathname, accept: request.headers.accept, body };
        response.setHeader('content-type', pathname === '/text' ? 'text/plain' : 'application/json');
        response.setHeader('x-many', ['1', '2']);
        response.end(pathname === '/text' ? '{broken' : JSON.stringify(asked));
      });
    });
    server.unref();
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });
  return listening;
}

const jq = (reference: string, queryExpression: string, inputs: Json = {}): Json =>
  step('JSON_JQ_TRANSFORM', reference, { inputParameters: { queryExpression, ...inputs } });

export const system: readonly Scenario[] = [
  {
    name: 'inline',
    async run(talk) {
      const cases: Readonly<Record<string, Json>> = {
        value: inline('$.a + $.b', { a: 1, b: '${workflow.input.b}' }),
        object: inline('(function () { return { sum: $.a, list: [1, "x", null, 2.5, true] }; })()', { a: 1 }),
        text: inline("'<' + $.a + '>'", { a: 'x' }),
        nothing: inline('null'),
        graal: inline('$.a * 2', { a: 4 }, 'graaljs'),
        param: inline('a', { a: { deep: [1] } }, 'value-param'),
      };
      for (const [name, parameters] of Object.entries(cases)) {
        await define(talk, `inline-${name}`, [step('INLINE', 'run', parameters)]);
        await talk.ended(await talk.start(`inline-${name}`, { b: 2 }));
      }
    },
  },
  {
    name: 'inline-fails',
    async run(talk) {
      const cases: Readonly<Record<string, Json>> = {
        throws: inline('throw new Error("broken")'),
        syntax: inline('this is no script'),
        missing: inline('$.a.b.c', { a: {} }),
        'unknown-evaluator': inline('1', {}, 'cobol'),
      };
      for (const [name, parameters] of Object.entries(cases)) {
        await define(talk, `inline-${name}`, [step('INLINE', 'run', parameters)]);
        await talk.ended(await talk.start(`inline-${name}`));
      }
    },
  },
  {
    name: 'inline-errors',
    async run(talk) {
      const cases: Readonly<Record<string, Json>> = {
        line: inline('1;\nvar x = 2;\n$.a.b.c'),
        unknown: inline('nothing + 1'),
        null: inline('null.x'),
        text: inline("throw 'text'"),
        object: inline("throw { message: 'm' }"),
        lines: inline('throw new Error("two\\nlines")'),
        function: inline('(function () { return $.a.b.c; })()'),
      };
      for (const [name, parameters] of Object.entries(cases)) {
        await define(talk, `inline-error-${name}`, [step('INLINE', 'run', parameters)]);
        await talk.ended(await talk.start(`inline-error-${name}`));
      }
      const lambda = { inputParameters: { scriptExpression: 'return $.a.b.c;' } };
      await define(talk, 'inline-error-lambda', [step('LAMBDA', 'run', lambda)]);
      await talk.ended(await talk.start('inline-error-lambda'));
    },
  },
  {
    name: 'lambda',
    async run(talk) {
      const inputParameters = {
        n: '${workflow.input.n}',
        scriptExpression: 'if ($.n > 1) { return { big: true }; } else { return { big: false }; }',
      };
      await define(talk, 'lambda', [step('LAMBDA', 'run', { inputParameters })]);
      await talk.ended(await talk.start('lambda', { n: 2 }));
      await talk.ended(await talk.start('lambda', { n: 0 }));
    },
  },
  {
    name: 'jq',
    async run(talk) {
      const cases: Readonly<Record<string, string>> = {
        add: '.list | add',
        many: '.list[]',
        object: '{ first: .list[0], keys: (.deep | keys) }',
        select: '[.list[] | select(. > 1)]',
        none: 'empty',
        missing: '.no.such',
        broken: '.list | keys | .x',
        syntax: '.list | | 1',
      };
      const inputs = { list: [1, 2, 3], deep: { b: 1, a: 2 } };
      for (const [name, expression] of Object.entries(cases)) {
        await define(talk, `jq-${name}`, [jq('run', expression, inputs)]);
        await talk.ended(await talk.start(`jq-${name}`));
      }
    },
  },
  {
    name: 'wait-duration',
    async run(talk) {
      await define(talk, 'wait-duration', [
        step('WAIT', 'wait', { inputParameters: { duration: '1 second' } }),
      ]);
      const run = await talk.start('wait-duration');
      await talk.ended(run);
    },
  },
  {
    name: 'wait-for-signal',
    async run(talk) {
      await define(talk, 'wait-for-signal', [
        step('WAIT', 'wait'),
        step('WAIT', 'again'),
        step('HUMAN', 'person'),
      ]);
      const run = await talk.start('wait-for-signal');
      await talk.step(run, 'wait', 'IN_PROGRESS');
      await talk.post(`/tasks/${run}/COMPLETED/signal`, { said: 'go' });
      await talk.step(run, 'again', 'IN_PROGRESS');
      await talk.post(`/tasks/${run}/again/COMPLETED`, { said: 'on' });
      await talk.step(run, 'person', 'IN_PROGRESS');
      await talk.post(`/tasks/${run}/COMPLETED/signal`, { said: 'nothing waits' });
      await talk.post(`/tasks/${run}/person/COMPLETED`, { said: 'yes' });
      await talk.ended(run);
      await talk.post(`/tasks/${run}/COMPLETED/signal`, {});
      await talk.post('/tasks/00000000-0000-4000-8000-000000000000/COMPLETED/signal', {});
    },
  },
  {
    name: 'signal-sync',
    async run(talk) {
      await define(talk, 'signal-sync', [step('WAIT', 'one'), step('WAIT', 'two')]);
      for (const returnStrategy of [
        'TARGET_WORKFLOW',
        'BLOCKING_WORKFLOW',
        'BLOCKING_TASK',
        'BLOCKING_TASK_INPUT',
      ]) {
        const run = await talk.start('signal-sync');
        await talk.step(run, 'one', 'IN_PROGRESS');
        await talk.post(`/tasks/${run}/COMPLETED/signal/sync`, { by: returnStrategy }, { returnStrategy });
        await talk.step(run, 'two', 'IN_PROGRESS');
        await talk.post(`/tasks/${run}/COMPLETED/signal/sync`, { by: returnStrategy }, { returnStrategy });
      }
    },
  },
  {
    name: 'execute',
    async run(talk) {
      await define(
        talk,
        'execute',
        [step('SET_VARIABLE', 'set', { inputParameters: { n: '${workflow.input.n}' } })],
        {
          outputParameters: { n: '${workflow.variables.n}' },
        },
      );
      for (const returnStrategy of [
        'TARGET_WORKFLOW',
        'BLOCKING_WORKFLOW',
        'BLOCKING_TASK',
        'BLOCKING_TASK_INPUT',
      ]) {
        const query = { requestId: 'r-1', waitForSeconds: 5, returnStrategy };
        await talk.post(
          '/workflow/execute/execute/1',
          { name: 'x', input: { n: 1 }, correlationId: 'c' },
          query,
        );
      }
      await talk.post('/workflow/execute/no-such/1', { input: {} }, { requestId: 'r-2' });
    },
  },
  {
    name: 'execute-blocked',
    async run(talk) {
      await define(talk, 'execute-blocked', [step('INLINE', 'first', inline('1')), step('WAIT', 'wait')]);
      for (const returnStrategy of [
        'TARGET_WORKFLOW',
        'BLOCKING_WORKFLOW',
        'BLOCKING_TASK',
        'BLOCKING_TASK_INPUT',
      ]) {
        const query = { requestId: 'r-1', waitForSeconds: 5, returnStrategy };
        await talk.post('/workflow/execute/execute-blocked/1', { input: {} }, query);
      }
      const until = { requestId: 'r-2', waitForSeconds: 5, waitUntilTaskRef: 'first' };
      await talk.post('/workflow/execute/execute-blocked/0', { input: {} }, until);
    },
  },
  {
    name: 'sub-workflow',
    async run(talk) {
      await defineTasks(talk, { name: 'sub-child_a' });
      await define(
        talk,
        'sub-child',
        [simple('sub-child', 'a', { inputParameters: { n: '${workflow.input.n}' } })],
        {
          outputParameters: { n: '${a.output.n}' },
        },
      );
      const child = step('SUB_WORKFLOW', 'child', {
        subWorkflowParam: { name: 'sub-child', version: 1 },
        inputParameters: { n: '${workflow.input.n}' },
      });
      await define(talk, 'sub-workflow', [child], { outputParameters: { n: '${child.output.n}' } });
      const run = await talk.start('sub-workflow', { n: 5 }, { correlationId: 'family' });
      await talk.step(run, 'child', 'IN_PROGRESS');
      await talk.finish('sub-child_a', { n: 6 });
      const parent = await talk.ended(run);
      await talk.look(String(parent.tasks[0]?.subWorkflowId));
    },
  },
  {
    name: 'sub-workflow-fails',
    async run(talk) {
      await defineTasks(talk, { name: 'sub-broken_a' });
      await define(talk, 'sub-broken', [simple('sub-broken', 'a')]);
      const child = step('SUB_WORKFLOW', 'child', { subWorkflowParam: { name: 'sub-broken' } });
      await define(talk, 'sub-workflow-fails', [child]);
      const run = await talk.start('sub-workflow-fails');
      await talk.finish('sub-broken_a', {}, 'FAILED', { reasonForIncompletion: 'child broke' });
      const failed = await talk.ended(run);
      await talk.look(String(failed.tasks[0]?.subWorkflowId));
      await talk.post(`/workflow/${run}/retry`, undefined, { resumeSubworkflowTasks: true });
      await talk.finish('sub-broken_a', { well: true });
      await talk.ended(run);
    },
  },
  {
    name: 'sub-workflow-optional',
    async run(talk) {
      await defineTasks(talk, { name: 'sub-optional_a' });
      await define(talk, 'sub-optional', [simple('sub-optional', 'a')], { version: 3 });
      await define(talk, 'sub-workflow-optional', [
        step('SUB_WORKFLOW', 'child', { optional: true, subWorkflowParam: { name: 'sub-optional' } }),
        step('NOOP', 'end'),
      ]);
      const run = await talk.start('sub-workflow-optional');
      await talk.finish('sub-optional_a', { x: 1 }, 'FAILED', { reasonForIncompletion: 'child broke' });
      await talk.ended(run);
    },
  },
  {
    name: 'sub-workflow-terminated',
    async run(talk) {
      await defineTasks(talk, { name: 'sub-stopped_a' });
      await define(talk, 'sub-stopped', [simple('sub-stopped', 'a')]);
      await define(talk, 'sub-workflow-terminated', [
        step('SUB_WORKFLOW', 'child', { subWorkflowParam: { name: 'sub-stopped', version: 1 } }),
      ]);
      const run = await talk.start('sub-workflow-terminated');
      const started = await talk.step(run, 'child', 'IN_PROGRESS');
      const child = String(started.tasks[0]?.subWorkflowId);
      await talk.reaches(child, ({ tasks }) => tasks.length > 0, 'the first step');
      await talk.delete(`/workflow/${run}`, { reason: 'enough' });
      await talk.ended(run);
      await talk.ended(child);
    },
  },
  {
    name: 'sub-workflow-inline',
    async run(talk) {
      const inner = workflow('sub-inner', [
        step('INLINE', 'x', inline('$.n + 1', { n: '${workflow.input.n}' })),
      ]);
      await define(talk, 'sub-workflow-inline', [
        step('SUB_WORKFLOW', 'child', {
          subWorkflowParam: { name: 'sub-inner', version: 1, workflowDefinition: inner },
          inputParameters: { n: 1 },
        }),
      ]);
      await talk.ended(await talk.start('sub-workflow-inline'));
    },
  },
  {
    name: 'start-workflow',
    async run(talk) {
      await define(talk, 'started', [step('NOOP', 'nothing')]);
      const inputParameters = {
        startWorkflow: { name: 'started', version: 1, input: { n: 1 }, correlationId: 'by-step' },
      };
      await define(talk, 'start-workflow', [step('START_WORKFLOW', 'go', { inputParameters })]);
      await talk.ended(await talk.start('start-workflow'));
      await define(talk, 'start-nothing', [step('START_WORKFLOW', 'go', { inputParameters: {} })]);
      await talk.ended(await talk.start('start-nothing'));
    },
  },
  {
    name: 'failure-workflow',
    async run(talk) {
      await defineTasks(talk, { name: 'failure-workflow_a' });
      await define(talk, 'clean-up', [step('NOOP', 'sweep')], {
        outputParameters: { given: '${workflow.input.reason}' },
      });
      await define(talk, 'failure-workflow', [simple('failure-workflow', 'a')], {
        failureWorkflow: 'clean-up',
      });
      const run = await talk.start('failure-workflow', { n: 1 });
      await talk.finish('failure-workflow_a', {}, 'FAILED', { reasonForIncompletion: 'broken' });
      const failed = (await talk.ended(run)) as unknown as { output: Record<string, string> };
      await talk.ended(String(failed.output['conductor.failure_workflow']));
    },
  },
  {
    name: 'terminate-step',
    async run(talk) {
      for (const terminationStatus of ['COMPLETED', 'FAILED', 'TERMINATED']) {
        const name = `terminate-${terminationStatus.toLowerCase()}`;
        const inputParameters = {
          terminationStatus,
          terminationReason: 'said so',
          workflowOutput: { n: '${workflow.input.n}' },
        };
        await define(talk, name, [step('TERMINATE', 'stop', { inputParameters }), step('NOOP', 'never')]);
        await talk.ended(await talk.start(name, { n: 3 }));
      }
      const bare = { terminationStatus: 'FAILED', workflowOutput: 'text' };
      await define(talk, 'terminate-bare', [step('TERMINATE', 'stop', { inputParameters: bare })]);
      await talk.ended(await talk.start('terminate-bare'));
    },
  },
  {
    name: 'dynamic',
    async run(talk) {
      await defineTasks(talk, { name: 'dynamic_chosen' });
      const parameters = {
        inputParameters: { which: '${workflow.input.which}', n: 1 },
        dynamicTaskNameParam: 'which',
      };
      await define(talk, 'dynamic', [step('DYNAMIC', 'pick', parameters)]);
      const run = await talk.start('dynamic', { which: 'dynamic_chosen' });
      await talk.finish('dynamic_chosen', { n: 2 });
      await talk.ended(run);
      await talk.post('/workflow', { name: 'dynamic', input: {} });
    },
  },
  {
    name: 'http',
    async run(talk) {
      // Nobody listens there: how a failed call is told.
      const request = { uri: 'http://127.0.0.1:9/', method: 'GET', connectionTimeOut: 500, readTimeOut: 500 };
      await define(talk, 'http', [step('HTTP', 'ask', { inputParameters: { http_request: request } })]);
      await talk.ended(await talk.start('http'));
      await define(talk, 'http-nothing', [
        step('HTTP', 'ask', { inputParameters: { http_request: { method: 'GET' } } }),
      ]);
      await talk.ended(await talk.start('http-nothing'));
    },
  },
  {
    name: 'http-answers',
    async run(talk) {
      const uri = await answering();
      const cases: Readonly<Record<string, Json>> = {
        get: { uri: `${uri}/a?n=1`, method: 'GET' },
        post: { uri, method: 'POST', body: { a: 1 } },
        put: { uri, method: 'PUT', body: 'as it is', contentType: 'text/plain', accept: 'text/plain' },
        created: { uri: `${uri}/201`, method: 'POST', body: [1] },
        nothing: { uri: `${uri}/204`, method: 'DELETE' },
        text: { uri: `${uri}/text`, method: 'GET' },
        missing: { uri: `${uri}/404`, method: 'GET' },
        broken: { uri: `${uri}/500`, method: 'GET' },
        'no-method': { uri },
        'odd-method': { uri, method: 'FETCH' },
      };
      for (const [name, request] of Object.entries(cases)) {
        const parameters = { inputParameters: { http_request: request } };
        await define(talk, `http-${name}`, [step('HTTP', 'ask', parameters)]);
        await talk.ended(await talk.start(`http-${name}`));
      }
    },
  },
  {
    name: 'unknown-type',
    async run(talk) {
      await defineTasks(talk, { name: 'known-kind' });
      await define(talk, 'user-defined', [step('KNOWN_KIND', 'a', { name: 'known-kind' })]);
      await talk.post('/workflow', { name: 'user-defined', input: {} });
    },
  },
];
