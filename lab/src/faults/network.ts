/** Faults on the way to the database. */
import type { TestPgbouncer } from '../../../packages/core/src/testing/pgbouncer.ts';
import type { Scene } from '../lab.ts';
import { pause } from '../monotonic.ts';
import type { Place } from '../site/crew.ts';
import type { SilentProxy } from '../site/proxy.ts';

/** Swallows everything that the process of a place sends and should get, then resets its connections. */
export async function cutPlace(scene: Scene, place: Place, proxy: SilentProxy, ms: number): Promise<void> {
  scene.begins(`the connections of ${place.current.name} go silent for ${ms} ms`);
  await scene.during('connection cut', place.current.name, async () => {
    proxy.goSilent();
    await pause(ms);
    proxy.reset();
  });
}

export async function killPooler(scene: Scene, pooler: TestPgbouncer, downMs: number): Promise<void> {
  scene.begins(`kill -9 of pgbouncer, down for ${downMs} ms`);
  await scene.during('pooler killed', undefined, async () => {
    await pooler.kill();
    await pause(downMs);
    await pooler.start();
  });
}
