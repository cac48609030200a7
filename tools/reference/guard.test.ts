import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { release, spawnGuarded } from './guard.ts';

const guardPath = fileURLToPath(new URL('guard.ts', import.meta.url));
const printsItsPid = ['-c', 'echo $$; exec sleep 600'];

test('a guarded program ends when whoever started it is killed', async () => {
  const parameters = JSON.stringify(printsItsPid);
  const source = `
    import { spawnGuarded } from ${JSON.stringify(guardPath)};
    spawnGuarded('/bin/sh', ${parameters}).stdout.pipe(process.stdout);`;
  const starter = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [pid] = await once(starter.stdout, 'data');
  expect(isAlive(Number(pid))).toBe(true);

  starter.kill('SIGKILL');
  await vanishes(Number(pid));
});

test('a guarded program ends when it is released', async () => {
  const guarded = spawnGuarded('/bin/sh', printsItsPid);
  const [pid] = await once(guarded.stdout ?? guarded, 'data');
  const ended = once(guarded, 'exit');

  release(guarded);
  await ended;
  await vanishes(Number(pid));
});

test('a guarded program that ends by itself says how', async () => {
  const [code] = await once(spawnGuarded('/bin/sh', ['-c', 'exit 7']), 'exit');
  expect(code).toBe(7);
});

async function vanishes(pid: number): Promise<void> {
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
