import { expect, test } from 'vitest';
import { Advancer, type AdvancerParts } from './advancer.ts';
import type { EndingStep, StepTaker } from './step-runs.ts';

const taker = {} as StepTaker;

/** What it asks those for that know open steps, and which run it tells of an end. */
function advancer(hasSecrets = false) {
  const asked: string[] = [];
  const told: string[] = [];
  const parts = {
    openSteps: {
      expect: (stepId: string) => asked.push(`expect ${stepId}`),
      inputOf: (stepId: string) => {
        asked.push(`input ${stepId}`);
        return '{"read":true}';
      },
      runOf: (stepId: string) => (stepId === 'unknown' ? undefined : 'run that is known'),
    },
    handOver: { hasSecrets, concerns: (text: string) => text.includes('secret') },
    store: { steps: async () => [] },
    runs: () => ({ end: (runId: string) => told.push(runId) }),
  };
  return { advancer: new Advancer(parts as unknown as AdvancerParts), asked, told };
}

function ending(stepId: string, runId: string | undefined, settled: string[] = []): EndingStep {
  const lease = { id: '1', unsettled: 1, isGone: false };
  const event = { type: 'time' } as const;
  return { stepId, runId, fence: 0, lease, event, sinceMs: 0, settle: (how) => settled.push(how) };
}

test('a step that was handed to its worker is asked for nowhere: its input and its run came with it', () => {
  const { advancer: of, asked, told } = advancer();
  const [handed, claimed] = [
    { jobId: 'handed', sentText: '{}', payload: { n: 1 } },
    { jobId: 'claimed', sentText: '{}' },
  ];
  of.claimed([handed, claimed]);
  expect(of.inputOf(handed)).toBe(handed.payload);
  expect(of.inputOf(claimed)).toBe('{"read":true}');
  expect(asked).toEqual(['expect claimed', 'input claimed']);
  of.end([ending('handed', 'its run'), ending('claimed', undefined)], taker);
  expect(told).toEqual(['its run', 'run that is known']);
});

test('what it was handed is looked through for secrets as what is read', async () => {
  const { advancer: of } = advancer(true);
  const plain = { n: 1 };
  expect(of.inputOf({ jobId: 'a', sentText: '{}', payload: plain })).toBe(plain);
  const asks = of.inputOf({ jobId: 'a', sentText: '{}', payload: { key: 'a secret' } });
  await expect(asks).rejects.toThrow('a');
});

test('the end of a step whose run is not known, or after all is closed, is left to its worker', () => {
  const { advancer: of, told } = advancer();
  const settled: string[] = [];
  of.end([ending('unknown', undefined, settled)], taker);
  of.close();
  of.end([ending('handed', 'its run', settled)], taker);
  expect([settled, told]).toEqual([['left', 'left'], []]);
});
