import { moveClock } from '../faults/workers.ts';
import { type Lab, times } from '../lab.ts';
import { openServerStand } from '../site/stands.ts';

const offMs = 5 * 60_000;

export const clock: Lab = {
  name: 'clock',
  about: 'clocks of workers and callers that jump by 5 min, either way',
  open: openServerStand,
  plan: (random, seconds) =>
    times(random, seconds, 1_000, [1_000, 3_000]).map((atMs) => {
      const ofWorker = random.next() < 0.8;
      const victim = random.next();
      const offsetMs = random.pick([-offMs, offMs, offMs, 0, -offMs]);
      return {
        atMs,
        act: (scene) => moveClock(scene, ofWorker ? scene.worker(victim) : scene.caller(victim), offsetMs),
      };
    }),
};
