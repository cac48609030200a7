import { existsSync } from 'node:fs';
import { type Lab, type Scene, type Stand, times } from '../lab.ts';
import { monotonicMs, pause } from '../monotonic.ts';
import { withClient } from '../site/audit.ts';
import { PatroniCluster, patroniPackages } from '../site/patroni.ts';

interface ClusterStand extends Stand {
  readonly cluster: PatroniCluster;
}

const returnTimeoutMs = 60_000;

export const patroni: Lab<ClusterStand> = {
  name: 'patroni',
  about: 'three PostgreSQL nodes under patroni and etcd, synchronous; the primary is killed every 15 s',
  packages: patroniPackages,
  whyNot: () =>
    existsSync('/etc/debian_version') ? undefined : "it needs Debian's packages of patroni and etcd",
  open: async (stack) => {
    const cluster = await PatroniCluster.start(stack);
    const { url } = cluster;
    return { url, urlOf: () => url, cluster, about: 'three nodes of PostgreSQL 15 under patroni and etcd' };
  },
  plan: (random, seconds, { cluster, url }) =>
    times(random, seconds, 3_000, [15_000, 15_000]).map((atMs) => {
      const whole = random.next() < 0.4;
      const downMs = random.whole(1_000, 4_000);
      return { atMs, act: (scene) => killPrimary(scene, cluster, url, { whole, downMs }) };
    }),
};

/** Kills the primary; it has come back when a new one takes writes. */
async function killPrimary(
  scene: Scene,
  cluster: PatroniCluster,
  url: string,
  { whole, downMs }: { whole: boolean; downMs: number },
): Promise<void> {
  scene.begins(`kill -9 of the primary ${cluster.leader}${whole ? ', patroni and all' : ''}`);
  await scene.during('primary killed', undefined, async () => {
    const startAgain = await cluster.killPrimary(whole);
    await Promise.all([pause(downMs).then(startAgain), takesWrites(url)]);
  });
}

async function takesWrites(url: string): Promise<void> {
  const endMs = monotonicMs() + returnTimeoutMs;
  for (;;) {
    try {
      await withClient(url, (client) => client.query('create temporary table written as select 1'));
      return;
    } catch (error) {
      if (monotonicMs() > endMs) throw error;
      await pause(100);
    }
  }
}
