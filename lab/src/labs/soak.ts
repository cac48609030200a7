import { cutPlace } from '../faults/network.ts';
import { fillVolume, killServer } from '../faults/server.ts';
import { killPlace, moveClock, pausePlace } from '../faults/workers.ts';
import { type Lab, type Step, times } from '../lab.ts';
import type { Random } from '../random.ts';
import { leadingWorker } from '../site/audit.ts';
import { whyNoSmallVolume } from '../site/small-volume.ts';
import {
  openServerStand,
  openVolumeStand,
  type ProxiedStand,
  type VolumeStand,
  withProxies,
} from '../site/stands.ts';

type SoakStand = ProxiedStand & Partial<Pick<VolumeStand, 'volume'>>;
type Fault = (random: Random, stand: SoakStand) => Step['act'] | undefined;

export const soak: Lab<SoakStand> = {
  name: 'soak',
  about:
    'all of it mixed, several at once: kills, restarts, silent connections, pauses, clocks, a full disk (as root)',
  open: async (stack, seed, places) => {
    const stand = await (whyNoSmallVolume() === undefined ? openVolumeStand : openServerStand)(stack, seed);
    return await withProxies(stack, stand, places);
  },
  plan: (random, seconds, stand) =>
    times(random, seconds, 1_000, [1_500, 5_000]).map((atMs) => {
      const act = random.pick(faults)(random, stand);
      return { atMs, act: async (scene) => act?.(scene) };
    }),
};

const faults: readonly Fault[] = [
  killOne,
  killOne,
  pauseOne,
  cutOne,
  cutOne,
  killLeader,
  jump,
  restart,
  restartAll,
  fill,
];

function killOne(random: Random): Step['act'] {
  const victim = random.next();
  return (scene) => killPlace(scene, scene.worker(victim));
}

function pauseOne(random: Random): Step['act'] {
  const victim = random.next();
  const ms = random.whole(500, 7_000);
  return (scene) => pausePlace(scene, scene.worker(victim), ms);
}

function cutOne(random: Random, { proxies }: SoakStand): Step['act'] {
  const ofWorker = random.next() < 0.75;
  const victim = random.next();
  const ms = random.whole(500, 7_000);
  return async (scene) => {
    const place = ofWorker ? scene.worker(victim) : scene.caller(victim);
    const proxy = proxies.get(place.name);
    if (proxy !== undefined) await cutPlace(scene, place, proxy, ms);
  };
}

function killLeader(random: Random, { url }: SoakStand): Step['act'] {
  const other = random.next();
  return async (scene) => {
    const leads = await leadingWorker(url).catch(() => undefined);
    await killPlace(
      scene,
      scene.crew.workers.find((each) => each.current.name === leads) ?? scene.worker(other),
    );
  };
}

function jump(random: Random): Step['act'] {
  const victim = random.next();
  const offsetMs = random.pick([-300_000, 0, 300_000]);
  return (scene) => moveClock(scene, scene.worker(victim), offsetMs);
}

function restart(random: Random, { server }: SoakStand): Step['act'] {
  const downMs = random.whole(0, 5_000);
  return (scene) => killServer(scene, server, downMs);
}

function restartAll(random: Random, { server }: SoakStand): Step['act'] {
  const downMs = random.whole(0, 2_000);
  return async (scene) => {
    const places = [...scene.crew.workers, ...scene.crew.callers];
    await Promise.all([killServer(scene, server, downMs), ...places.map((place) => killPlace(scene, place))]);
  };
}

/** Where there is no volume of its own, the disk stays as it is. */
function fill(random: Random, { server, volume }: SoakStand): Step['act'] | undefined {
  const ms = random.whole(500, 3_000);
  return volume === undefined ? undefined : (scene) => fillVolume(scene, server, volume, ms);
}
