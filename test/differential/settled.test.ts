import { expect, test } from 'vitest';
import { isSettled } from './settled.ts';

function run(status: string, ...steps: readonly string[]): Parameters<typeof isSettled>[0] {
  const tasks = steps.map((step, index) => {
    const [taskType = '', stepStatus = ''] = step.split(' ');
    return { taskId: `${index}`, referenceTaskName: taskType, taskType, status: stepStatus };
  });
  return { status, tasks };
}

test.each([
  ['a worker may take a step', run('RUNNING', 'mail SCHEDULED')],
  ['a worker has one', run('RUNNING', 'NOOP COMPLETED', 'mail IN_PROGRESS')],
  ['it waits for somebody', run('RUNNING', 'WAIT IN_PROGRESS')],
  ['a join waits for a worker', run('RUNNING', 'FORK COMPLETED', 'mail SCHEDULED', 'JOIN IN_PROGRESS')],
  ['nothing is to be done until it goes on', run('PAUSED', 'mail COMPLETED')],
  ['it has ended with all its steps', run('FAILED', 'mail FAILED', 'JOIN CANCELED')],
])('a run is settled: %s', (_, facts) => {
  expect(isSettled(facts)).toBe(true);
});

test.each([
  ['nothing is scheduled yet', run('RUNNING')],
  ['what follows is not scheduled yet', run('RUNNING', 'mail COMPLETED')],
  ['the server has not taken its own step', run('RUNNING', 'WAIT SCHEDULED')],
  ['the server does its own step', run('RUNNING', 'mail SCHEDULED', 'HTTP IN_PROGRESS')],
  ['only a join is open', run('RUNNING', 'mail COMPLETED', 'JOIN IN_PROGRESS')],
  ['it has ended before its steps', run('TERMINATED', 'mail SCHEDULED')],
])('a run is not settled: %s', (_, facts) => {
  expect(isSettled(facts)).toBe(false);
});
