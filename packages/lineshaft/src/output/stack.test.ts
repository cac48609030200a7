import { expect, test } from 'vitest';
import { trimStack } from './stack.ts';

test("a stack shows the user's lines, from the current folder", () => {
  const stack = [
    'Error: no route',
    '    at deliver (file:///home/ada/app/tasks/mail/send.ts:5:9)',
    '    at process.processTicksAndRejections (node:internal/process/task_queues:103:5)',
    '    at async Run.run (file:///home/ada/app/node_modules/@lineshaft/core/dist/worker/async.js:1:2)',
    '    at Object.send (/home/ada/app/node_modules/smtp/index.js:3:4)',
    '    at file:///srv/other.js:1:1',
  ].join('\n');
  expect(trimStack(stack, '/home/ada/app', (text) => `<${text}>`)).toBe(
    [
      '    at deliver (tasks/mail/send.ts:5:9)',
      '<    at Object.send (node_modules/smtp/index.js:3:4)>',
      '    at /srv/other.js:1:1',
    ].join('\n'),
  );
});

test('paths may have blanks, and frames no name', () => {
  const stack =
    'Error: x\n    at async file:///my%20app/tasks/a.ts:1:2\n    at f (/my app/tasks/b (1).ts:3:4)';
  expect(trimStack(stack, '/my app', String)).toBe(
    '    at async tasks/a.ts:1:2\n    at f (tasks/b (1).ts:3:4)',
  );
});

test('no stack, no lines', () => {
  expect(trimStack(undefined, '/', String)).toBe('');
});
