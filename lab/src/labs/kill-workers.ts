import { killPlace } from '../faults/workers.ts';
import { type Lab, times } from '../lab.ts';
import { openServerStand } from '../site/stands.ts';

export const killWorkers: Lab = {
  name: 'kill-workers',
  about: 'kill -9 of a random worker every second',
  open: openServerStand,
  plan: (random, seconds) =>
    times(random, seconds, 1_000, [1_000, 1_000]).map((atMs) => {
      const victim = random.next();
      return { atMs, act: (scene) => killPlace(scene, scene.worker(victim)) };
    }),
};
