import { fillVolume } from '../faults/server.ts';
import { type Lab, times } from '../lab.ts';
import { whyNoSmallVolume } from '../site/small-volume.ts';
import { openVolumeStand, type VolumeStand } from '../site/stands.ts';

export const diskFull: Lab<VolumeStand> = {
  name: 'disk-full',
  about: "the database's volume fills, tables and log alike, and has room again",
  whyNot: whyNoSmallVolume,
  open: openVolumeStand,
  plan: (random, seconds, { server, volume }) =>
    times(random, seconds, 2_000, [7_000, 9_500]).map((atMs) => {
      const ms = random.whole(1_000, 4_000);
      return { atMs, act: (scene) => fillVolume(scene, server, volume, ms) };
    }),
};
