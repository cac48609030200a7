import { pausePlace } from '../faults/workers.ts';
import { type Lab, times } from '../lab.ts';
import { openServerStand } from '../site/stands.ts';

export const pause: Lab = {
  name: 'pause',
  about: 'a worker is stopped (SIGSTOP) for longer than its lease of 3 s, and goes on',
  open: openServerStand,
  plan: (random, seconds) =>
    times(random, seconds, 1_000, [3_000, 6_000]).map((atMs) => {
      const victim = random.next();
      const ms = random.whole(3_500, 7_000);
      return { atMs, act: (scene) => pausePlace(scene, scene.worker(victim), ms) };
    }),
};
