/** Faults of the database server: killed and started again, without room on its volume. */
import type { TestServer } from '../../../packages/core/src/testing/server.ts';
import type { Scene } from '../lab.ts';
import { monotonicMs, pause } from '../monotonic.ts';
import { withClient } from '../site/audit.ts';
import type { SmallVolume } from '../site/small-volume.ts';

/** How long a server may take to come back. */
const returnTimeoutMs = 60_000;

/** Kills all processes of PostgreSQL, and starts it again after a time. */
export async function killServer(scene: Scene, server: TestServer, downMs: number): Promise<void> {
  scene.begins(`kill -9 of PostgreSQL, down for ${downMs} ms`);
  await scene.during('database away', undefined, async () => {
    await server.kill();
    await pause(downMs);
    await startAgain(server);
  });
}

/**
 * Fills the volume for a time. Without room for the log of transactions PostgreSQL ends itself; whoever runs it
 * starts it again, here as there, as soon as that is possible.
 */
export async function fillVolume(
  scene: Scene,
  server: TestServer,
  volume: SmallVolume,
  ms: number,
): Promise<void> {
  scene.begins(`the volume of PostgreSQL is full for ${ms} ms`);
  await scene.during('disk full', undefined, async () => {
    const untilMs = monotonicMs() + ms;
    while (monotonicMs() < untilMs) {
      // Files that PostgreSQL gives back meanwhile are no room for it.
      if (volume.freeBytes > 0) volume.fill();
      await withClient(server.url(), (client) => client.query('select pg_switch_wal()')).catch(() => {});
      await pause(100);
    }
    volume.makeRoom();
    await startAgain(server);
    await answers(server);
  });
}

/** Starts a server that is down, and tries again where it ends at once. */
async function startAgain(server: TestServer): Promise<void> {
  const untilMs = monotonicMs() + returnTimeoutMs;
  for (;;) {
    try {
      await server.start();
      return;
    } catch (error) {
      if (monotonicMs() > untilMs) throw error;
      await pause(200);
    }
  }
}

async function answers(server: TestServer): Promise<void> {
  const untilMs = monotonicMs() + returnTimeoutMs;
  for (;;) {
    try {
      await withClient(server.url(), (client) => client.query('select 1'));
      return;
    } catch (error) {
      if (monotonicMs() > untilMs) throw error;
      await pause(100);
      await startAgain(server);
    }
  }
}
