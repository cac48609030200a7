import { Lineshaft, silentLog } from '@lineshaft/core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDatabase } from '../../../core/src/testing/server.ts';
import { type CommandResult, folderWith, runLineshaft } from '../testing/command.ts';

let url = '';
let cwd = '';
let lineshaft: Lineshaft;

beforeAll(async () => {
  url = await createDatabase(inject('postgres18'));
  cwd = folderWith();
  lineshaft = new Lineshaft({ databaseUrl: url, log: silentLog });
  await lineshaft.migrate();
});

afterAll(() => lineshaft.close());

function run(...args: string[]): Promise<CommandResult> {
  return runLineshaft(args, { cwd, env: { LINESHAFT_DATABASE_URL: url } });
}

describe('limit', () => {
  test('is declared with tiers, throttled by key and opened again', async () => {
    const tiers = ['--tier', 'gold-*=50', '--tier', 'slow=2/1s'];
    const declared = await run('limit', 'declare', 'api', '--concurrency', '2', '--key', 'given', ...tiers);
    expect(declared.stderr).toBe('');
    const { limit } = await lineshaft.showLimit('api');
    expect(limit.tiers).toEqual([
      { keys: 'gold-*', concurrency: 50 },
      { keys: 'slow', rate: { amount: 2, perMs: 1_000, burst: 2 } },
    ]);
    const closed = await run('limit', 'throttle', 'api', 'acme', '--for', '10m');
    expect(closed.stdout).toContain('nothing starts under key acme of limit api for 10 min');
    expect((await run('limit', 'show', 'api')).stdout).toMatch(/acme .*in 10 min/);
    expect((await run('limit', 'throttle', 'api', 'acme', '--for', '0ms')).stdout).toContain('is open');
  });

  test.each([
    [['throttle', 'api'], '--for'],
    [['throttle', 'api', '--for', 'soon'], '--for'],
    [['declare', 'api', '--tier', 'gold'], '--tier'],
    [['declare', 'api', '--tier', 'gold=many'], '--tier'],
  ])('refuses %j', async (args, field) => {
    const refused = await run('limit', ...args);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(field)]);
  });

  test('says which limit may be meant', async () => {
    const refused = await run('limit', 'throttle', 'apj', '--for', '1s');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("did you mean 'api'?")]);
  });
});
