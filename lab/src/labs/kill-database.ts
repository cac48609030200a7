import { killServer } from '../faults/server.ts';
import { type Lab, times } from '../lab.ts';
import { openServerStand, type ServerStand } from '../site/stands.ts';

export const killDatabase: Lab<ServerStand> = {
  name: 'kill-database',
  about: 'kill -9 of PostgreSQL and a restart, every 5 to 10 s',
  open: openServerStand,
  plan: (random, seconds, { server }) =>
    times(random, seconds, 2_000, [5_000, 10_000]).map((atMs) => {
      const downMs = random.whole(0, 2_000);
      return { atMs, act: (scene) => killServer(scene, server, downMs) };
    }),
};
