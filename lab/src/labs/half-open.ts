import { cutPlace } from '../faults/network.ts';
import { type Lab, times } from '../lab.ts';
import { openProxiedStand, type ProxiedStand } from '../site/stands.ts';

export const halfOpen: Lab<ProxiedStand> = {
  name: 'half-open',
  about: 'connections of a worker or a caller that swallow everything for a while and are then reset',
  open: openProxiedStand,
  plan: (random, seconds, { proxies }) =>
    times(random, seconds, 1_000, [3_000, 7_000]).map((atMs) => {
      const ofWorker = random.next() < 0.75;
      const victim = random.next();
      const ms = random.whole(1_000, 7_000);
      return {
        atMs,
        act: async (scene) => {
          const place = ofWorker ? scene.worker(victim) : scene.caller(victim);
          const proxy = proxies.get(place.name);
          if (proxy !== undefined) await cutPlace(scene, place, proxy, ms);
        },
      };
    }),
};
