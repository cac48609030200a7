import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFinal, type JobCommand, type JobState, jobCommands, jobStates, transition } from './job.ts';

const allStates = ['new', ...jobStates] as const;

/** The states that can be reached from one, in any number of steps. */
function reachable(from: JobState | 'new', commands: readonly JobCommand[] = jobCommands): Set<JobState> {
  const found = new Set<JobState>();
  const open: (JobState | 'new')[] = [from];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    for (const command of commands) {
      const next = transition(state, command);
      if (next !== undefined && !found.has(next)) {
        found.add(next);
        open.push(next);
      }
    }
  }
  return found;
}

test('every state is reached from the start, and none leads back to before it', () => {
  expect(reachable('new')).toEqual(new Set(jobStates));
});

test('nothing leads out of succeeded and cancelled', () => {
  expect(reachable('succeeded')).toEqual(new Set());
  expect(reachable('cancelled')).toEqual(new Set());
});

test('only a redrive leads out of failed, and it leads to ready', () => {
  const ways = jobCommands.filter((command) => transition('failed', command) !== undefined);
  expect(ways).toEqual(['redrive']);
  expect(transition('failed', 'redrive')).toBe('ready');
});

test('from every state that is not final, each end can still be reached', () => {
  for (const state of jobStates.filter((state) => !isFinal(state))) {
    expect([...reachable(state)], state).toEqual(
      expect.arrayContaining(['succeeded', 'failed', 'cancelled']),
    );
  }
});

test('without a claim nothing runs, succeeds or fails', () => {
  const unclaimed = reachable(
    'new',
    jobCommands.filter((command) => command !== 'claim'),
  );
  expect([...unclaimed].sort()).toEqual(['blocked', 'cancelled', 'ready', 'scheduled']);
});

test('every command is allowed in some state, and every state but the final ones allows a cancel', () => {
  for (const command of jobCommands) {
    expect(
      allStates.some((state) => transition(state, command) !== undefined),
      command,
    ).toBe(true);
  }
  for (const state of jobStates) {
    expect(transition(state, 'cancel')).toBe(isFinal(state) ? undefined : 'cancelled');
  }
});

test.each<[JobState, JobCommand, JobState | undefined]>([
  ['ready', 'claim', 'running'],
  ['scheduled', 'claim', undefined],
  ['scheduled', 'promote', 'ready'],
  ['retrying', 'promote', 'ready'],
  ['running', 'retry', 'retrying'],
  ['running', 'snooze', 'scheduled'],
  ['running', 'give-back', 'ready'],
  ['running', 'rescue', 'ready'],
  ['running', 'bury', 'failed'],
  ['running', 'block', 'blocked'],
  ['running', 'redrive', undefined],
  ['blocked', 'redrive', 'ready'],
  ['cancelled', 'succeed', undefined],
  ['ready', 'succeed', undefined],
])('%s, %s: %s', (from, command, to) => {
  expect(transition(from, command)).toBe(to);
});

test('whatever is done in whatever order, a job that has ended for good stays as it is', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...jobCommands), { maxLength: 60 }), (commands) => {
      let state: JobState | 'new' = 'new';
      let ended: JobState | undefined;
      for (const command of commands) {
        state = transition(state, command) ?? state;
        if (ended !== undefined) expect(state).toBe(ended);
        if (state === 'succeeded' || state === 'cancelled') ended = state;
      }
    }),
  );
});
