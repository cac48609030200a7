/** SWITCH, DECISION, FORK_JOIN, FORK_JOIN_DYNAMIC, JOIN, EXCLUSIVE_JOIN, DO_WHILE. */
import { findStep } from '../conversation.ts';
import { define, defineTasks, type Json, type Scenario, simple, step } from './scenario.ts';

function route(expression: string, more: Json = {}): Json {
  return step('SWITCH', 'route', {
    evaluatorType: 'value-param',
    expression,
    inputParameters: { to: '${workflow.input.to}' },
    ...more,
  });
}

const noop = (reference: string): Json => step('NOOP', reference);

export const branches: readonly Scenario[] = [
  {
    name: 'switch',
    async run(talk) {
      const cases = { north: [noop('n')], south: [noop('s1'), noop('s2')], empty: [] };
      await define(talk, 'switch', [
        route('to', { decisionCases: cases, defaultCase: [noop('d')] }),
        noop('end'),
      ]);
      for (const to of ['north', 'south', 'empty', 'nowhere', null, 7, true]) {
        await talk.ended(await talk.start('switch', { to }));
      }
    },
  },
  {
    name: 'switch-javascript',
    async run(talk) {
      const cases = { big: [noop('b')], small: [noop('s')] };
      for (const evaluatorType of ['javascript', 'graaljs']) {
        const name = `switch-${evaluatorType}`;
        const expression = "$.to > 10 ? 'big' : 'small'";
        await define(talk, name, [route(expression, { evaluatorType, decisionCases: cases })]);
        await talk.ended(await talk.start(name, { to: 11 }));
        await talk.ended(await talk.start(name, { to: 1 }));
      }
      await define(talk, 'switch-broken', [
        route('$.to.no.such', { evaluatorType: 'javascript', decisionCases: cases }),
      ]);
      await talk.ended(await talk.start('switch-broken', { to: 1 }));
    },
  },
  {
    name: 'decision',
    async run(talk) {
      const cases = { a: [noop('x')] };
      const parameters = {
        inputParameters: { kind: '${workflow.input.kind}' },
        decisionCases: cases,
        defaultCase: [noop('d')],
      };
      await define(talk, 'decision', [step('DECISION', 'choose', { caseValueParam: 'kind', ...parameters })]);
      await talk.ended(await talk.start('decision', { kind: 'a' }));
      await talk.ended(await talk.start('decision', { kind: 'z' }));
      const caseExpression = "$.kind == 'a' ? 'a' : 'none'";
      await define(talk, 'decision-script', [step('DECISION', 'choose', { caseExpression, ...parameters })]);
      await talk.ended(await talk.start('decision-script', { kind: 'a' }));
    },
  },
  {
    name: 'fork',
    async run(talk) {
      const names = ['a', 'b', 'c'];
      await defineTasks(talk, ...names.map((name) => ({ name: `fork_${name}` })));
      const forkTasks = [[simple('fork', 'a'), simple('fork', 'b')], [simple('fork', 'c')]];
      const tasks = [step('FORK_JOIN', 'split', { forkTasks }), step('JOIN', 'meet', { joinOn: ['b', 'c'] })];
      await define(talk, 'fork', tasks, { outputParameters: { all: '${meet.output}' } });
      const run = await talk.start('fork');
      await talk.finish('fork_c', { from: 'c' });
      await talk.finish('fork_a', { from: 'a' });
      await talk.look(run);
      await talk.finish('fork_b', { from: 'b' });
      await talk.ended(run);
    },
  },
  {
    name: 'fork-fails',
    async run(talk) {
      await defineTasks(talk, { name: 'fork-fails_a' }, { name: 'fork-fails_b' });
      const forkTasks = [[simple('fork-fails', 'a')], [simple('fork-fails', 'b')]];
      const tasks = [step('FORK_JOIN', 'split', { forkTasks }), step('JOIN', 'meet', { joinOn: ['a', 'b'] })];
      await define(talk, 'fork-fails', tasks);
      const run = await talk.start('fork-fails');
      await talk.finish('fork-fails_a', {}, 'FAILED', { reasonForIncompletion: 'a broke' });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/retry`);
      await talk.look(run);
      await talk.finish('fork-fails_a', { again: true });
      await talk.finish('fork-fails_b', { again: true });
      await talk.ended(run);
    },
  },
  {
    name: 'fork-optional',
    async run(talk) {
      await defineTasks(talk, { name: 'fork-optional_a' }, { name: 'fork-optional_b' });
      const forkTasks = [[simple('fork-optional', 'a', { optional: true })], [simple('fork-optional', 'b')]];
      const tasks = [step('FORK_JOIN', 'split', { forkTasks }), step('JOIN', 'meet', { joinOn: ['a', 'b'] })];
      await define(talk, 'fork-optional', tasks);
      const run = await talk.start('fork-optional');
      await talk.finish('fork-optional_a', { a: 1 }, 'FAILED');
      await talk.finish('fork-optional_b', { b: 2 });
      await talk.ended(run);
    },
  },
  {
    name: 'fork-permissive',
    async run(talk) {
      await defineTasks(talk, { name: 'fork-permissive_a' }, { name: 'fork-permissive_b' });
      const forkTasks = [
        [simple('fork-permissive', 'a', { permissive: true })],
        [simple('fork-permissive', 'b', { permissive: true })],
      ];
      const tasks = [step('FORK_JOIN', 'split', { forkTasks }), step('JOIN', 'meet', { joinOn: ['a', 'b'] })];
      await define(talk, 'fork-permissive', tasks);
      const run = await talk.start('fork-permissive');
      await talk.finish('fork-permissive_a', { a: 1 }, 'FAILED', { reasonForIncompletion: 'a broke' });
      await talk.finish('fork-permissive_b', { b: 2 });
      await talk.ended(run);
    },
  },
  {
    name: 'fork-dynamic',
    async run(talk) {
      await defineTasks(talk, { name: 'fork-dynamic_x' });
      const inputParameters = { list: '${workflow.input.list}', inputs: '${workflow.input.inputs}' };
      const tasks = [
        step('FORK_JOIN_DYNAMIC', 'split', {
          inputParameters,
          dynamicForkTasksParam: 'list',
          dynamicForkTasksInputParamName: 'inputs',
        }),
        step('JOIN', 'meet'),
      ];
      await define(talk, 'fork-dynamic', tasks, { outputParameters: { all: '${meet.output}' } });
      const list = ['one', 'two'].map((reference) =>
        simple('fork-dynamic', reference, { name: 'fork-dynamic_x' }),
      );
      const run = await talk.start('fork-dynamic', { list, inputs: { one: { n: 1 }, two: { n: 2 } } });
      await talk.look(run);
      for (let n = 1; n <= 2; n += 1) {
        const task = await talk.task('fork-dynamic_x');
        await talk.report(task, 'COMPLETED', { from: task.referenceTaskName });
      }
      await talk.ended(run);
      await talk.ended(await talk.start('fork-dynamic', { list: [], inputs: {} }));
      await talk.ended(await talk.start('fork-dynamic', { list: 'wrong', inputs: {} }));
      await talk.ended(await talk.start('fork-dynamic', { list, inputs: [] }));
    },
  },
  {
    name: 'fork-dynamic-simple-form',
    async run(talk) {
      await defineTasks(talk, { name: 'fork-simple-form_x' });
      const inputParameters = {
        forkTaskName: 'fork-simple-form_x',
        forkTaskInputs: '${workflow.input.inputs}',
      };
      await define(talk, 'fork-simple-form', [
        step('FORK_JOIN_DYNAMIC', 'split', { inputParameters }),
        step('JOIN', 'meet'),
      ]);
      const run = await talk.start('fork-simple-form', { inputs: [{ n: 1 }, { n: 2 }] });
      for (let n = 1; n <= 2; n += 1) {
        const task = await talk.task('fork-simple-form_x');
        await talk.report(task, 'COMPLETED', { from: task.referenceTaskName });
      }
      await talk.ended(run);
    },
  },
  {
    name: 'fork-dynamic-children',
    async run(talk) {
      await define(talk, 'fork-child', [noop('a')], { outputParameters: { given: '${workflow.input}' } });
      const inputParameters = { list: '${workflow.input.list}', inputs: '${workflow.input.inputs}' };
      const parameters = { dynamicForkTasksParam: 'list', dynamicForkTasksInputParamName: 'inputs' };
      await define(talk, 'fork-dynamic-children', [
        step('FORK_JOIN_DYNAMIC', 'split', { inputParameters, ...parameters }),
        step('JOIN', 'meet'),
      ]);
      const subWorkflowParam = { name: 'fork-child', version: 1 };
      const list = [
        step('SUB_WORKFLOW', 'one', { subWorkflowParam, inputParameters: { own: 1, n: 0 } }),
        step('SUB_WORKFLOW', 'two', { subWorkflowParam }),
      ];
      const inputs = { one: { n: 1 }, two: { n: 2 } };
      await talk.ended(await talk.start('fork-dynamic-children', { list, inputs }));
    },
  },
  {
    name: 'fork-without-join',
    async run(talk) {
      await define(talk, 'fork-without-join', [
        step('FORK_JOIN', 'split', { forkTasks: [[noop('a')]] }),
        noop('b'),
      ]);
      await talk.post('/workflow', { name: 'fork-without-join', input: {} });
    },
  },
  {
    name: 'exclusive-join',
    async run(talk) {
      const cases = { a: [step('INLINE', 'left', inline('({ from: "left" })'))] };
      const tasks = [
        route('to', {
          decisionCases: cases,
          defaultCase: [step('INLINE', 'right', inline('({ from: "right" })'))],
        }),
        step('EXCLUSIVE_JOIN', 'meet', { joinOn: ['left'], defaultExclusiveJoinTask: ['right'] }),
      ];
      await define(talk, 'exclusive-join', tasks);
      await talk.ended(await talk.start('exclusive-join', { to: 'a' }));
      await talk.ended(await talk.start('exclusive-join', { to: 'z' }));
    },
  },
  {
    name: 'loop',
    async run(talk) {
      await defineTasks(talk, { name: 'loop_a' });
      const loopOver = [
        simple('loop', 'a', {
          inputParameters: { before: '${a.output.n}', turn: '${loop.output.iteration}' },
        }),
      ];
      const loop = step('DO_WHILE', 'loop', {
        inputParameters: { limit: '${workflow.input.limit}' },
        loopCondition: "if ($.loop['iteration'] < $.limit) { true; } else { false; }",
        loopOver,
      });
      await define(talk, 'loop', [loop, noop('end')], {
        outputParameters: { last: '${a.output}', all: '${loop.output}' },
      });
      const run = await talk.start('loop', { limit: 3 });
      for (let n = 1; n <= 3; n += 1) await talk.finish('loop_a', { n });
      await talk.ended(run);
    },
  },
  {
    name: 'loop-fails',
    async run(talk) {
      await defineTasks(talk, { name: 'loop-fails_a' });
      const loop = step('DO_WHILE', 'loop', {
        loopCondition: "$.loop['iteration'] < 2",
        loopOver: [simple('loop-fails', 'a')],
      });
      await define(talk, 'loop-fails', [loop]);
      const run = await talk.start('loop-fails');
      await talk.finish('loop-fails_a', { n: 1 });
      await talk.finish('loop-fails_a', { n: 2 }, 'FAILED', { reasonForIncompletion: 'second turn' });
      await talk.ended(run);
      await talk.post(`/workflow/${run}/retry`);
      await talk.finish('loop-fails_a', { n: 3 });
      await talk.ended(run);
    },
  },
  {
    name: 'loop-breaks-off',
    async run(talk) {
      await defineTasks(talk, { name: 'loop-breaks-off_a' }, { name: 'loop-breaks-off_b' });
      const loop = step('DO_WHILE', 'loop', {
        loopCondition: "$.loop['iteration'] < 3",
        loopOver: [simple('loop-breaks-off', 'a'), simple('loop-breaks-off', 'b')],
      });
      await define(talk, 'loop-breaks-off', [loop]);
      const run = await talk.start('loop-breaks-off');
      await talk.finish('loop-breaks-off_a', { n: 1 });
      await talk.step(run, 'b__1', 'SCHEDULED');
      await talk.finish('loop-breaks-off_b', { n: 2 });
      await talk.finish('loop-breaks-off_a', { n: 3 });
      await talk.step(run, 'b__2', 'SCHEDULED');
      await talk.finish('loop-breaks-off_b', { n: 4 }, 'FAILED');
      await talk.ended(run);
    },
  },
  {
    name: 'loop-system-steps',
    async run(talk) {
      const loopOver = [
        step('INLINE', 'add', inline('({ sum: ($.sum || 0) + 1 })', { sum: '${workflow.variables.sum}' })),
        step('SET_VARIABLE', 'keep', { inputParameters: { sum: '${add.output.result.sum}' } }),
        step('SWITCH', 'even', {
          evaluatorType: 'javascript',
          expression: "$.n % 2 == 0 ? 'yes' : 'no'",
          inputParameters: { n: '${workflow.variables.sum}' },
          decisionCases: { yes: [noop('y')] },
          defaultCase: [noop('n')],
        }),
      ];
      const loop = step('DO_WHILE', 'loop', { loopCondition: "$.loop['iteration'] < 4", loopOver });
      await define(talk, 'loop-system-steps', [loop], {
        outputParameters: { sum: '${workflow.variables.sum}' },
      });
      await talk.ended(await talk.start('loop-system-steps'));
    },
  },
  {
    name: 'loop-condition-broken',
    async run(talk) {
      const loop = step('DO_WHILE', 'loop', { loopCondition: 'no such thing', loopOver: [noop('a')] });
      await define(talk, 'loop-condition-broken', [loop]);
      const run = await talk.start('loop-condition-broken');
      const found = await talk.ended(run);
      findStep(found, 'loop');
    },
  },
];

export function inline(expression: string, inputs: Json = {}, evaluatorType = 'javascript'): Json {
  return { inputParameters: { evaluatorType, expression, ...inputs } };
}
