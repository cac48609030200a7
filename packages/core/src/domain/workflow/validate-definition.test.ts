import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkDefinition } from '../../workflow/check-definition.ts';
import type { WorkflowDefinition } from './definition.ts';
import { validateWorkflow } from './validate-definition.ts';
import { validateTask } from './validate-task.ts';

const simple = (ref: string, more: object = {}) => ({
  name: ref,
  taskReferenceName: ref,
  type: 'SIMPLE',
  ...more,
});
const workflow = (...tasks: object[]) => ({ name: 'w', version: 1, tasks });
const messages = (document: unknown) => validateWorkflow(document).map(({ message }) => message);

/** What is in the tasks of a workflow, and what Conductor says of it. */
const cases: [string, object[], { path: string; message: string | RegExp }[]][] = [
  ['a worker step', [simple('a')], []],
  ['an unknown type', [simple('a', { type: 'MINE' })], []],
  ['no type', [{ name: 'a', taskReferenceName: 'a' }], []],
  ['fields that are null', [simple('a', { joinOn: null, retryCount: null, inputParameters: null })], []],
  ['no steps', [], [{ path: 'tasks', message: 'WorkflowTask list cannot be empty' }]],
  [
    'a step without name and ref',
    [{ type: 'SIMPLE' }],
    [
      { path: 'tasks[0].name', message: 'WorkflowTask name cannot be empty or null' },
      {
        path: 'tasks[0].taskReferenceName',
        message: 'WorkflowTask taskReferenceName name cannot be empty or null',
      },
    ],
  ],
  [
    'a ref twice, also inside',
    [simple('a'), simple('f', { type: 'FORK_JOIN', forkTasks: [[simple('a')]] })],
    [
      {
        path: '',
        message: 'taskReferenceName: a should be unique across tasks for a given workflowDefinition: w',
      },
    ],
  ],
  [
    'an expression of nobody',
    [simple('a', { inputParameters: { x: ['${b.output.y}'] } })],
    [
      {
        path: 'tasks[0].inputParameters.x',
        message:
          'taskReferenceName: b for given task: a input value: x of input parameter: ${b.output.y} is not defined in ' +
          'workflow definition.',
      },
    ],
  ],
  [
    'an expression that is no path',
    [simple('a', { inputParameters: { x: '${workflow.input[}' } })],
    [
      {
        path: 'tasks[0].inputParameters.x',
        message: 'key: x input parameter value: workflow.input[ is not valid',
      },
    ],
  ],
  [
    'expressions in order',
    [
      simple('a', {
        inputParameters: { x: "${workflow.input['y z']} ${CPEWF_TASK_ID} $${q} ${a.output.${a.input}}" },
      }),
    ],
    [],
  ],
  [
    'EVENT without sink',
    [simple('a', { type: 'EVENT' })],
    [{ path: 'tasks[0]', message: missing('sink', 'EVENT') }],
  ],
  [
    'DECISION without all',
    [simple('a', { type: 'DECISION' })],
    [
      { path: 'tasks[0]', message: missing('caseValueParam or caseExpression', 'DECISION') },
      {
        path: 'tasks[0]',
        message: 'decisionCases should have atleast one task for taskType: DECISION taskName: a',
      },
    ],
  ],
  [
    'SWITCH without expression, and no cases',
    [simple('a', { type: 'SWITCH', evaluatorType: 'value-param', decisionCases: {} })],
    [
      { path: 'tasks[0]', message: missing('expression', 'SWITCH') },
      {
        path: 'tasks[0]',
        message: 'decisionCases should have atleast one task for taskType: SWITCH taskName: a',
      },
    ],
  ],
  [
    'SWITCH with a default only',
    [
      simple('a', {
        type: 'SWITCH',
        evaluatorType: 'x',
        expression: 'y',
        decisionCases: {},
        defaultCase: [simple('b')],
      }),
    ],
    [],
  ],
  [
    'DO_WHILE without all',
    [simple('a', { type: 'DO_WHILE' })],
    [
      { path: 'tasks[0]', message: missing('loopCondition', 'DO_WHILE') },
      { path: 'tasks[0]', message: missing('loopOver', 'DO_WHILE') },
    ],
  ],
  [
    'DO_WHILE over items',
    [simple('a', { type: 'DO_WHILE', items: '${workflow.input.x}', loopOver: [simple('b')] })],
    [],
  ],
  [
    'DYNAMIC without name',
    [simple('a', { type: 'DYNAMIC' })],
    [{ path: 'tasks[0]', message: /^dynamicTaskNameParam/ }],
  ],
  [
    'FORK_JOIN_DYNAMIC without params',
    [simple('a', { type: 'FORK_JOIN_DYNAMIC' })],
    [
      { path: 'tasks[0]', message: missing('dynamicForkTasksParam', 'FORK_JOIN_DYNAMIC') },
      { path: 'tasks[0]', message: missing('dynamicForkTasksInputParamName', 'FORK_JOIN_DYNAMIC') },
    ],
  ],
  [
    'FORK_JOIN_DYNAMIC with both sorts',
    [simple('a', { type: 'FORK_JOIN_DYNAMIC', dynamicForkJoinTasksParam: 'x', dynamicForkTasksParam: 'y' })],
    [{ path: 'tasks[0]', message: /cam be used for taskType: FORK_JOIN_DYNAMIC/ }],
  ],
  [
    'FORK_JOIN_DYNAMIC by name',
    [simple('a', { type: 'FORK_JOIN_DYNAMIC', inputParameters: { forkTaskName: 'x' } })],
    [],
  ],
  [
    'HTTP without request',
    [simple('a', { type: 'HTTP' })],
    [{ path: 'tasks[0]', message: /^inputParameters.http_request/ }],
  ],
  ['HTTP flat', [simple('a', { type: 'HTTP', inputParameters: { uri: 'http://x' } })], []],
  [
    'HTTP from a task definition',
    [simple('a', { type: 'HTTP', taskDefinition: { name: 'a', inputTemplate: { http_request: {} } } })],
    [],
  ],
  [
    'FORK_JOIN without branches',
    [simple('a', { type: 'FORK_JOIN', forkTasks: [] })],
    [{ path: 'tasks[0]', message: /^forkTasks/ }],
  ],
  [
    'SUB_WORKFLOW without',
    [simple('a', { type: 'SUB_WORKFLOW' })],
    [{ path: 'tasks[0]', message: missing('subWorkflowParam', 'SUB_WORKFLOW') }],
  ],
  [
    'JQ without',
    [simple('a', { type: 'JSON_JQ_TRANSFORM' })],
    [{ path: 'tasks[0]', message: /queryExpression/ }],
  ],
  [
    'KAFKA without',
    [simple('a', { type: 'KAFKA_PUBLISH' })],
    [{ path: 'tasks[0]', message: /kafka_request/ }],
  ],
  [
    'TERMINATE that is optional and has no status',
    [simple('a', { type: 'TERMINATE', optional: true })],
    [
      { path: 'tasks[0]', message: 'terminate task cannot be optional, taskName: a' },
      {
        path: 'tasks[0]',
        message: /terminate task must have an terminationStatus parameter and must be set to/,
      },
    ],
  ],
  [
    'WAIT for both',
    [simple('a', { type: 'WAIT', inputParameters: { duration: '1s', until: '2030-01-01' } })],
    [{ path: 'tasks[0]', message: /^Both/ }],
  ],
  [
    'WAIT by expression',
    [simple('a', { type: 'WAIT', inputParameters: { duration: '${workflow.input.x}' } })],
    [],
  ],
  [
    'wrong types, each with its place',
    [
      simple('a', {
        type: 'SWITCH',
        decisionCases: { yes: 'no list' },
        optional: 1,
        joinOn: ['x', 2],
        joinMode: 'x',
      }),
    ],
    [
      { path: 'tasks[0].joinOn', message: 'joinOn must be a list of texts' },
      { path: 'tasks[0].optional', message: 'optional must be true or false' },
      { path: 'tasks[0].joinMode', message: 'joinMode must be one of SYNC, ASYNC' },
      { path: 'tasks[0].decisionCases[yes]', message: 'must be a list of tasks' },
    ],
  ],
  [
    'a place deep inside',
    [
      simple('a', {
        type: 'SWITCH',
        evaluatorType: 'value-param',
        expression: 'x',
        decisionCases: {
          yes: [simple('f', { type: 'FORK_JOIN', forkTasks: [[simple('c'), { name: 'd' }]] })],
        },
      }),
    ],
    [
      {
        path: 'tasks[0].decisionCases[yes][0].forkTasks[0][1].taskReferenceName',
        message: /taskReferenceName name/,
      },
    ],
  ],
  [
    'an inline workflow',
    [
      simple('a', {
        type: 'SUB_WORKFLOW',
        subWorkflowParam: { workflowDefinition: { name: 'i', tasks: [] } },
      }),
    ],
    [{ path: 'tasks[0].subWorkflowParam.workflowDefinition.tasks', message: /cannot be empty/ }],
  ],
];

function missing(field: string, type: string): string {
  return `${field} field is required for taskType: ${type} taskName: a`;
}

test.each(cases)('%s', (_name, tasks, expected) => {
  const found = validateWorkflow(workflow(...tasks));
  const byPath = (a: { path: string }, b: { path: string }) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
  expect([...found].sort(byPath).map(({ path }) => path)).toEqual(
    [...expected].sort(byPath).map(({ path }) => path),
  );
  for (const { message } of expected) expect(found.map((each) => each.message).join('\n')).toMatch(message);
});

describe('bounds', () => {
  test('10,000 steps are checked, 20,001 are refused', () => {
    const steps = (count: number) =>
      Array.from({ length: count }, (_, n) =>
        simple(`s${n}`, n === 0 ? {} : { inputParameters: { x: `\${s${n - 1}.output}` } }),
      );
    expect(validateWorkflow(workflow(...steps(10_000)))).toEqual([]);
    expect(messages(workflow(...steps(20_001)))).toEqual([expect.stringMatching(/more than 20000 steps/)]);
  });

  test('1,000 nested steps are refused', () => {
    let step: object = simple('s');
    for (let level = 0; level < 1_000; level += 1)
      step = simple(`f${level}`, { type: 'FORK_JOIN', forkTasks: [[step]] });
    expect(messages(workflow(step))).toEqual([expect.stringMatching(/nested more than 60 deep/)]);
  });

  test('what the database could not keep is refused', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 5_000; level += 1) deep = [deep];
    expect(messages(workflow(simple('a', { inputParameters: { deep } })))).toEqual([
      expect.stringMatching(/levels|deep/),
    ]);
    expect(messages(workflow(simple('a\u0000')))).toEqual([expect.stringMatching(/NUL/)]);
  });

  test('many troubles are told up to a hundred', () => {
    expect(validateWorkflow(workflow(...Array.from({ length: 5_000 }, () => ({}))))).toHaveLength(100);
  });

  test('no document makes it throw', () => {
    const names = fc.constantFrom(
      'name',
      'tasks',
      'type',
      'decisionCases',
      'forkTasks',
      'loopOver',
      'inputParameters',
      'subWorkflowParam',
      'workflowDefinition',
      'toString',
    );
    const leaf = fc.oneof(
      fc.constantFrom('SWITCH', 'WAIT', 'TERMINATE', 'SUB_WORKFLOW', '${x', '${}'),
      fc.integer(),
      fc.constant(null),
      fc.boolean(),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6 },
        leaf,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(names, tie('tree'), { maxKeys: 6 }),
      ),
    }));
    fc.assert(
      fc.property(tree, tree, (inner, document) => {
        validateWorkflow(document);
        validateWorkflow({ name: 'w', tasks: [inner] });
        validateTask(document);
      }),
      { numRuns: 500 },
    );
  });
});

describe('against what is registered', () => {
  const calls = (name: string, ...called: string[]): WorkflowDefinition =>
    ({
      ...workflow(
        ...called.map((each) => simple(each, { type: 'SUB_WORKFLOW', subWorkflowParam: { name: each } })),
      ),
      name,
    }) as WorkflowDefinition;
  const check = (definition: unknown, ...registered: WorkflowDefinition[]) =>
    checkDefinition(definition, {
      tasks: async () => new Map(),
      workflow: async ({ name, version }) =>
        registered.find((each) => each.name === name && (version === undefined || version === each.version)),
    });

  test('workflows that would start themselves without end are refused, with the way', async () => {
    await expect(check(calls('a', 'a'))).rejects.toMatchObject({ code: 'DEFINITION_INVALID' });
    await expect(check(calls('a', 'b'), calls('b', 'c'), calls('c', 'a'))).rejects.toThrow(/a > b > c > a/);
    await expect(
      check(calls('a', 'b', 'c'), calls('b', 'd'), calls('c', 'd'), calls('d', 'nobody')),
    ).resolves.toBeDefined();
  });

  test('recursion that may end is in order', async () => {
    const inner = calls('a', 'a').tasks;
    const guarded = workflow(
      simple('s', {
        type: 'SWITCH',
        evaluatorType: 'value-param',
        expression: 'x',
        decisionCases: { more: inner },
      }),
    );
    await expect(check({ ...guarded, name: 'a' })).resolves.toBeDefined();
    const ending = workflow(
      simple('s', {
        type: 'SWITCH',
        evaluatorType: 'value-param',
        expression: 'x',
        decisionCases: {
          done: [simple('t', { type: 'TERMINATE', inputParameters: { terminationStatus: 'COMPLETED' } })],
        },
      }),
      ...inner,
    );
    await expect(check({ ...ending, name: 'a' })).resolves.toBeDefined();
  });

  test('another version of itself is another workflow', async () => {
    const step = simple('s', { type: 'SUB_WORKFLOW', subWorkflowParam: { name: 'a', version: 1 } });
    const second = { ...workflow(step), name: 'a', version: 2 };
    await expect(
      check(second, { ...calls('a'), tasks: [simple('x')] } as WorkflowDefinition),
    ).resolves.toBeDefined();
  });

  test('fields that are null go, except in inputs', async () => {
    const step = simple('s', { joinOn: null, inputParameters: { x: null } });
    const definition = await check({ ...workflow(step), description: null });
    expect(definition).toEqual(workflow(simple('s', { inputParameters: { x: null } })));
  });
});

test.each<[object, string[]]>([
  [{ name: 't' }, []],
  [{}, ['TaskDef name cannot be null or empty']],
  [{ name: 't', retryCount: -1 }, ['TaskDef retryCount: 0 must be >= 0']],
  [
    { name: 't', responseTimeoutSeconds: 0 },
    ['TaskDef responseTimeoutSeconds: 0 should be minimum 1 second'],
  ],
  [{ name: 't', backoffScaleFactor: 0 }, ['Backoff scale factor. Applicable for LINEAR_BACKOFF']],
  [{ name: 't', pollTimeoutSeconds: -1 }, ['TaskDef pollTimeoutSeconds: 0 must be >= 0']],
  [
    { name: 't', timeoutSeconds: 1_000, responseTimeoutSeconds: 1_001 },
    ['TaskDef: t responseTimeoutSeconds: 1001 must be less than timeoutSeconds: 1000'],
  ],
  [{ name: 't', timeoutSeconds: 0, responseTimeoutSeconds: null, concurrentExecLimit: null }, []],
  [
    { name: 't', retryLogic: 'OFTEN' },
    ['retryLogic must be one of FIXED, EXPONENTIAL_BACKOFF, LINEAR_BACKOFF'],
  ],
  [{ name: 7 }, ['name must be a text']],
])('task definition %j', (document, expected) => {
  expect(validateTask(document).map(({ message }) => message)).toEqual(expected);
});
