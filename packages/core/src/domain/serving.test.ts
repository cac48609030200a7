import { expect, test } from 'vitest';
import { judgeServing, type LaneDemand, type LiveWorker } from './serving.ts';

const worker: LiveWorker = {
  ...{ workerId: 'w', build: '1.5.0', tags: ['*', 'capability=gpu'], kinds: ['train'] },
  ...{ queues: ['1-q'], offers: { gpu: 2 } },
};
const lane: LaneDemand = {
  ...{ slug: '1-q', kind: 'train', requirements: [], pin: 'none', build: '', needs: {} },
};

test.each([
  ['the queue', {}, { queues: ['1-other'] }, 'queue'],
  ['the kind', { kind: 'other' }, {}, 'kind'],
  ['the tags', { requirements: ['capability=fpga'] }, {}, 'requirements'],
  ['the build', { pin: 'exact', build: '1.4.0' }, {}, 'build'],
  ['the amounts', { needs: { gpu: 3 } }, {}, 'amounts'],
  [
    'nothing',
    { requirements: ['capability=*'], pin: 'min', build: '1.0.0', needs: { gpu: 2 } },
    {},
    undefined,
  ],
] as const)('a worker that lacks %s', (_, demand, has, lack) => {
  const judged = judgeServing({ ...lane, ...demand }, [{ ...worker, ...has }]);
  expect(judged.lack).toBe(lack);
  expect(judged.able.length).toBe(lack === undefined ? 1 : 0);
  expect(judged.nearest.length).toBe(1);
});

test('what is told is what the workers lack that come nearest', () => {
  const strangers = { ...worker, queues: [] };
  const small = { ...worker, offers: {} };
  const judged = judgeServing({ ...lane, needs: { gpu: 1 } }, [strangers, small]);
  expect(judged).toEqual({ able: [], lack: 'amounts', nearest: [small] });
  expect(judgeServing(lane, [])).toEqual({ able: [], lack: 'queue', nearest: [] });
});
