/** Faults of worker processes: killed, stopped for longer than a lease, with a clock that jumps. */
import type { Scene } from '../lab.ts';
import { pause } from '../monotonic.ts';
import type { Place } from '../site/crew.ts';

/** Kills the process of a place; the next one starts at once. */
export async function killPlace(scene: Scene, place: Place): Promise<void> {
  scene.begins(`kill -9 of ${place.current.name}`);
  scene.happened('worker killed', place.current.name);
  await place.kill();
}

/** SIGSTOP, and SIGCONT after a time. */
export async function pausePlace(scene: Scene, place: Place, ms: number): Promise<void> {
  const child = place.current;
  scene.begins(`SIGSTOP of ${child.name} for ${ms} ms`);
  await scene.during('worker paused', child.name, async () => {
    child.signal('SIGSTOP');
    await pause(ms);
    child.signal('SIGCONT');
  });
}

export async function moveClock(scene: Scene, place: Place, offsetMs: number): Promise<void> {
  scene.begins(`the clock of ${place.current.name} jumps to ${offsetMs / 60_000} min from the truth`);
  scene.happened('clock moved', place.current.name);
  place.current.tell({ command: 'clock', offsetMs });
}
