/** Definitions: what is kept of them, what is refused and how. */
import type { Conversation } from '../conversation.ts';
import { define, type Json, type Scenario, simple, step, workflow } from './scenario.ts';

const ofName = (prefix: string) => (body: unknown) =>
  Array.isArray(body) ? body.filter((item) => String(item.name ?? item).startsWith(prefix)) : body;

async function refused(
  talk: Conversation,
  name: string,
  tasks: readonly unknown[],
  more: Json = {},
): Promise<void> {
  await talk.post('/metadata/workflow', workflow(name, tasks as Json[], more));
}

export const metadata: readonly Scenario[] = [
  {
    name: 'workflow-definitions',
    async run(talk) {
      const one = workflow('defs-one', [step('NOOP', 'a')], {
        description: 'first',
        metadata: { team: 'x' },
      });
      await talk.post('/metadata/workflow', one);
      await talk.post('/metadata/workflow', one);
      await talk.post('/metadata/workflow', { ...one, description: 'second' }, { overwrite: true });
      await talk.post('/metadata/workflow', { ...one, version: 3 });
      await talk.get('/metadata/workflow/defs-one');
      await talk.get('/metadata/workflow/defs-one', { version: 1 });
      await talk.get('/metadata/workflow/defs-one', { version: 2 });
      await talk.get('/metadata/workflow/no-such');
      await talk.put('/metadata/workflow', [
        { ...one, description: 'third' },
        workflow('defs-two', [step('NOOP', 'a')]),
      ]);
      await talk.get('/metadata/workflow', {}, ofName('defs-'));
      await talk.get('/metadata/workflow/latest-versions', {}, ofName('defs-'));
      await talk.get('/metadata/workflow/names', {}, ofName('defs-'));
      await talk.get('/metadata/workflow/defs-one/versions');
      await talk.get('/metadata/workflow/names-and-versions', {}, (body) => (body as Json)['defs-one']);
      await talk.delete('/metadata/workflow/defs-one/1');
      await talk.delete('/metadata/workflow/defs-one/1');
      await talk.get('/metadata/workflow/defs-one', { version: 1 });
      await talk.post('/metadata/workflow/validate', one);
      await talk.post('/metadata/workflow/validate', { ...one, tasks: [] });
    },
  },
  {
    name: 'workflow-definitions-refused',
    async run(talk) {
      await refused(talk, 'bad-empty', []);
      await talk.post('/metadata/workflow', { version: 1, tasks: [step('NOOP', 'a')] });
      await refused(talk, 'bad-version', [step('NOOP', 'a')], { schemaVersion: 1 });
      await refused(talk, 'bad-twice', [step('NOOP', 'a'), step('NOOP', 'a')]);
      await refused(talk, 'bad-reference', [
        simple('bad', 'a', { inputParameters: { n: '${none.output.x}' } }),
      ]);
      await refused(talk, 'bad-task', [{ type: 'SIMPLE' }]);
      await refused(talk, 'bad-switch', [
        step('SWITCH', 'a', { evaluatorType: 'value-param', expression: 'x' }),
      ]);
      await refused(talk, 'bad-decision', [step('DECISION', 'a', {})]);
      await refused(talk, 'bad-event', [step('EVENT', 'a')]);
      await refused(talk, 'bad-loop', [step('DO_WHILE', 'a')]);
      await refused(talk, 'bad-fork', [step('FORK_JOIN', 'a')]);
      await refused(talk, 'bad-dynamic-fork', [step('FORK_JOIN_DYNAMIC', 'a')]);
      await refused(talk, 'bad-http', [step('HTTP', 'a')]);
      await refused(talk, 'bad-terminate', [step('TERMINATE', 'a')]);
      await refused(talk, 'bad-terminate-status', [
        step('TERMINATE', 'a', { inputParameters: { terminationStatus: 'MAYBE' } }),
      ]);
      await refused(talk, 'bad-terminate-optional', [
        step('TERMINATE', 'a', { optional: true, inputParameters: { terminationStatus: 'FAILED' } }),
      ]);
      await refused(talk, 'bad-wait', [
        step('WAIT', 'a', { inputParameters: { duration: '1s', until: '2030-01-01' } }),
      ]);
      await refused(talk, 'bad-sub', [step('SUB_WORKFLOW', 'a')]);
      await refused(talk, 'bad-jq', [step('JSON_JQ_TRANSFORM', 'a')]);
      await refused(talk, 'bad-dynamic', [step('DYNAMIC', 'a')]);
      await refused(talk, 'bad-inline', [step('INLINE', 'a')]);
      await refused(talk, 'bad-kafka', [step('KAFKA_PUBLISH', 'a')]);
      await refused(talk, 'bad-timeout', [step('NOOP', 'a')], { timeoutSeconds: -1 });
      await refused(talk, 'bad-policy', [step('NOOP', 'a')], { timeoutPolicy: 'RETRY' });
      await talk.call('POST', '/metadata/workflow', { text: '{"name": ' });
      await talk.call('POST', '/metadata/workflow', { text: '[]' });
      await talk.call('POST', '/metadata/workflow', { text: '' });
    },
  },
  {
    name: 'definition-echo',
    async run(talk) {
      const tasks = [
        simple('echo', 'a', {
          description: 'all fields',
          inputParameters: { n: 1 },
          optional: true,
          startDelay: 1,
          retryCount: 2,
          asyncComplete: false,
          permissive: true,
          metadata: { a: 1 },
        }),
        step('SWITCH', 's', {
          evaluatorType: 'value-param',
          expression: 'x',
          decisionCases: { a: [step('NOOP', 'n')] },
        }),
        step('SUB_WORKFLOW', 'w', {
          subWorkflowParam: { name: 'other', version: 2, taskToDomain: { '*': 'd' } },
        }),
      ];
      const more = {
        description: 'd',
        inputParameters: ['n'],
        outputParameters: { o: '${a.output}' },
        failureWorkflow: 'clean',
        restartable: false,
        timeoutSeconds: 10,
        timeoutPolicy: 'TIME_OUT_WF',
        variables: { v: 1 },
        inputTemplate: { i: 1 },
        rateLimitConfig: { rateLimitKey: 'k', concurrentExecLimit: 2 },
        ownerApp: 'app',
        unknownField: 1,
      };
      await define(talk, 'definition-echo', tasks, more);
      await talk.get('/metadata/workflow/definition-echo');
    },
  },
  {
    name: 'task-definitions',
    async run(talk) {
      const base = { ownerEmail: 'owner@example.org', timeoutSeconds: 0 };
      await talk.post('/metadata/taskdefs', [{ name: 'task-defs-plain', ...base }]);
      await talk.get('/metadata/taskdefs/task-defs-plain');
      const full = {
        name: 'task-defs-full',
        description: 'all',
        retryCount: 5,
        retryLogic: 'LINEAR_BACKOFF',
        retryDelaySeconds: 7,
        backoffScaleFactor: 2,
        timeoutSeconds: 100,
        timeoutPolicy: 'RETRY',
        responseTimeoutSeconds: 50,
        pollTimeoutSeconds: 9,
        concurrentExecLimit: 3,
        rateLimitPerFrequency: 4,
        rateLimitFrequencyInSeconds: 5,
        isolationGroupId: 'g',
        executionNameSpace: 'n',
        inputKeys: ['i'],
        outputKeys: ['o'],
        inputTemplate: { a: 1 },
        ownerEmail: 'owner@example.org',
        maxRetryDelaySeconds: 60,
        backoffJitterMs: 10,
        totalTimeoutSeconds: 1000,
      };
      await talk.post('/metadata/taskdefs', [full]);
      await talk.get('/metadata/taskdefs/task-defs-full');
      await talk.put('/metadata/taskdefs', { ...full, description: 'changed' });
      await talk.get('/metadata/taskdefs/task-defs-full');
      await talk.put('/metadata/taskdefs', { name: 'task-defs-none', ...base });
      await talk.get('/metadata/taskdefs/task-defs-none');
      await talk.get('/metadata/taskdefs', {}, (body) =>
        (body as { name: string }[])
          .filter(({ name }) => name.startsWith('task-defs-'))
          .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      );
      await talk.delete('/metadata/taskdefs/task-defs-plain');
      await talk.delete('/metadata/taskdefs/task-defs-plain');
    },
  },
  {
    name: 'task-definitions-refused',
    async run(talk) {
      const base = { ownerEmail: 'owner@example.org', timeoutSeconds: 0 };
      await talk.post('/metadata/taskdefs', [{ ...base }]);
      await talk.post('/metadata/taskdefs', [{ name: '', ...base }]);
      await talk.post('/metadata/taskdefs', [{ name: 'bad-task', ...base, retryCount: -1 }]);
      await talk.post('/metadata/taskdefs', [
        { name: 'bad-task', ...base, timeoutSeconds: 10, responseTimeoutSeconds: 20 },
      ]);
      await talk.post('/metadata/taskdefs', [{ name: 'bad-task', ...base, responseTimeoutSeconds: 0 }]);
      await talk.post('/metadata/taskdefs', [{ name: 'bad-task', ...base, backoffScaleFactor: 0 }]);
      await talk.post('/metadata/taskdefs', [{ name: 'bad-task', ...base, retryLogic: 'SOMETIMES' }]);
      await talk.post('/metadata/taskdefs', { name: 'not-a-list', ...base });
      await talk.post('/metadata/taskdefs', []);
    },
  },
];
