import { startPgbouncer, type TestPgbouncer } from '../../../packages/core/src/testing/pgbouncer.ts';
import { createDatabase, startServer } from '../../../packages/core/src/testing/server.ts';
import { killPooler } from '../faults/network.ts';
import { type Lab, type Stand, times } from '../lab.ts';

interface PooledStand extends Stand {
  readonly pooler: TestPgbouncer;
}

export const pgbouncer: Lab<PooledStand> = {
  name: 'pgbouncer',
  about: "all processes behind Debian's pgbouncer in transaction mode, which is killed every 4 to 8 s",
  open: async (stack, seed) => {
    const server = await startServer(seed % 2 === 0 ? 18 : 15);
    stack.defer(() => server.stop());
    const url = await createDatabase(server);
    const pooler = await startPgbouncer(url);
    stack.defer(() => pooler.stop());
    const pooled = pooler.url(new URL(url).pathname.slice(1));
    return { url, urlOf: () => pooled, pooler, about: `PostgreSQL ${server.version} behind pgbouncer` };
  },
  plan: (random, seconds, { pooler }) =>
    times(random, seconds, 2_000, [4_000, 8_000]).map((atMs) => {
      const downMs = random.whole(0, 2_000);
      return { atMs, act: (scene) => killPooler(scene, pooler, downMs) };
    }),
};
