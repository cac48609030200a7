import { killPlace, pausePlace } from '../faults/workers.ts';
import { type Lab, times } from '../lab.ts';
import { leadingWorker } from '../site/audit.ts';
import { openServerStand } from '../site/stands.ts';

export const leader: Lab = {
  name: 'leader',
  about: 'the leader is killed, or stopped for longer than its lease, every 3 s',
  open: openServerStand,
  plan: (random, seconds, { url }) =>
    times(random, seconds, 1_500, [3_000, 3_000]).map((atMs) => {
      const kill = random.next() < 0.5;
      const other = random.next();
      const ms = random.whole(3_500, 5_000);
      return {
        atMs,
        act: async (scene) => {
          const leads = await leadingWorker(url);
          // Between two leaders anybody may be the next one.
          const place = scene.crew.workers.find((each) => each.current.name === leads) ?? scene.worker(other);
          await (kill ? killPlace(scene, place) : pausePlace(scene, place, ms));
        },
      };
    }),
};
