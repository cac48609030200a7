/** The lab itself: a short run that is green, and one with a planted fault that must be red. */
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const program = fileURLToPath(new URL('../../lab/src/main.ts', import.meta.url));

async function lab(...parts: string[]) {
  const child = spawn(process.execPath, [program, ...parts], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [out, told, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  const folder = /\S*lineshaft-lab-\w+/.exec(told)?.[0];
  const left = folder !== undefined && existsSync(folder);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  return { code, out, told, left };
}

describe('the lab', () => {
  test.each([
    ['kill-workers', 1],
    ['kill-database', 2],
    ['workflows', 3],
  ])(
    '%s loses nothing and explains each duplicate',
    async (name, seed) => {
      const { code, out, told, left } = await lab(name, '--seconds', '6', '--seed', String(seed), '--json');
      const verdict = JSON.parse(out) as { acknowledged: number; faults: number };
      expect(verdict, told).toMatchObject({
        lab: name,
        seed,
        seconds: 6,
        lost: 0,
        unexplained: 0,
        violations: 0,
        ok: true,
      });
      expect(verdict.acknowledged).toBeGreaterThan(0);
      expect(verdict.faults).toBeGreaterThan(0);
      expect(code).toBe(0);
      expect(left).toBe(false);
    },
    120_000,
  );

  test('a worker that writes without its fence turns the verdict red', async () => {
    const { code, out, told, left } = await lab(
      'pause',
      '--seconds',
      '8',
      '--seed',
      '3',
      '--json',
      '--plant',
      'unfenced',
    );
    const verdict = JSON.parse(out) as { violations: number; unexplained: number };
    expect(verdict, told).toMatchObject({ lab: 'pause', ok: false });
    expect(verdict.violations + verdict.unexplained, told).toBeGreaterThan(0);
    expect(code).toBe(1);
    expect(left).toBe(true);
  }, 120_000);

  test('a server that writes over what others have decided turns the verdict on runs red', async () => {
    const { code, out, told, left } = await lab(
      'workflows',
      '--seconds',
      '10',
      '--seed',
      '4',
      '--json',
      '--plant',
      'unfenced',
    );
    const verdict = JSON.parse(out) as { violations: number; unexplained: number; lost: number };
    expect(verdict, told).toMatchObject({ lab: 'workflows', ok: false });
    expect(verdict.violations + verdict.unexplained + verdict.lost, told).toBeGreaterThan(0);
    expect(code).toBe(1);
    expect(left).toBe(true);
  }, 180_000);

  test.each([
    [['kill-worker'], "lab 'kill-worker' not found; did you mean 'kill-workers'?"],
    [['pause', '--second', '3'], "option '--second' not found; did you mean '--seconds'?"],
    [['pause', '--seconds', '0'], "--seconds takes a whole number from 1 to 86400, not '0'"],
    [['pause', '--plant', 'tree'], "--plant takes 'unfenced', not 'tree'"],
  ])('%j is a wrong call', async (parts, message) => {
    const { code, told } = await lab(...parts);
    expect(told).toContain(message);
    expect(code).toBe(2);
  });
});
