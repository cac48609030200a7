import { killServer } from '../faults/server.ts';
import { killPlace } from '../faults/workers.ts';
import { type Lab, times } from '../lab.ts';
import { openServerStand, type ServerStand } from '../site/stands.ts';

export const restartAll: Lab<ServerStand> = {
  name: 'restart-all',
  about: 'kill -9 of everything at once, callers too, every 6 to 9 s',
  open: openServerStand,
  plan: (random, seconds, { server }) =>
    times(random, seconds, 2_000, [6_000, 9_000]).map((atMs) => {
      const downMs = random.whole(0, 1_500);
      return {
        atMs,
        act: async (scene) => {
          const places = [...scene.crew.workers, ...scene.crew.callers];
          await Promise.all([
            killServer(scene, server, downMs),
            ...places.map((place) => killPlace(scene, place)),
          ]);
        },
      };
    }),
};
