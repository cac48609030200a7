import { describe, expect, it } from 'vitest';
import { describeExecutor, fixture, makeAttempt, Rig } from './executor.conformance.ts';
import { describeHandlers } from './handlers.conformance.ts';
import { describeLanes } from './lanes.conformance.ts';

describeExecutor({
  name: 'thread',
  handlers: {
    echo: fixture('echo'),
    nothing: fixture('nothing'),
    fail: fixture('fail'),
    hang: fixture('hang'),
    obey: fixture('obey'),
  },
  refused: { type: 'function', handler: () => undefined },
  holdsMemory: true,
});
describeHandlers('thread');
describeLanes('thread');

describe('executor thread', () => {
  it('has other threads for attempts with other memory limits', async () => {
    await using rig = await Rig.start('thread', {
      nothing: fixture('nothing'),
      fillHeap: fixture('fillHeap'),
    });
    const limit = 64 * 1024 * 1024;
    const ids = [undefined, limit, undefined, 2 * limit].map((memoryBytes) =>
      rig.run(makeAttempt('nothing', null, { memoryBytes })),
    );
    const outcomes = await Promise.all(ids.map((id) => rig.recorder.outcome(id)));
    expect(outcomes.map(({ type }) => type)).toEqual(ids.map(() => 'succeeded'));
    expect(await rig.outcomeOf('fillHeap', null, { memoryBytes: limit })).toMatchObject({
      error: { code: 'MEMORY_LIMIT_EXCEEDED' },
    });
  });
});
