/** Plugins with tables of their own. */

import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, inject, test } from 'vitest';
import { definePlugin, Lineshaft, silentLog } from '../../packages/core/src/index.ts';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { versions } from '../worker/site.ts';

const folder = new URL('../fixtures/plugin-migrations/', import.meta.url);

describe.each(versions)('the migrations of a plugin, on PostgreSQL %i', (version) => {
  async function open(migrations: URL = folder, url?: string): Promise<Lineshaft & { url: string }> {
    const databaseUrl = url ?? (await createDatabase(inject(version === 15 ? 'postgres15' : 'postgres18')));
    const ledger = definePlugin({ name: 'ledger', migrations });
    const lineshaft = new Lineshaft({ databaseUrl, log: silentLog, plugins: [ledger()], schema: 'ledgers' });
    return Object.assign(lineshaft, { url: databaseUrl });
  }

  test('are shown by a plan, run once by whoever comes first, and known from then on', async () => {
    await using lineshaft = await open();
    const plan = await lineshaft.migrate({ plan: true });
    expect(plan.steps.filter((step) => step.plugin === 'ledger')).toEqual([
      { plugin: 'ledger', version: 1, file: '0001_ledger.sql', lockCost: 'new objects only.' },
      { plugin: 'ledger', version: 2, file: '0002_at.sql', lockCost: 'a short lock of its own table.' },
    ]);
    const others = await Promise.all([1, 2, 3].map(() => open(folder, lineshaft.url)));
    const reports = await Promise.all([lineshaft, ...others].map((each) => each.migrate()));
    await Promise.all(others.map((each) => each.close()));
    const ran = reports.flatMap(({ steps }) => steps.filter((step) => step.plugin === 'ledger'));
    expect(ran.map((step) => step.file).sort()).toEqual(['0001_ledger.sql', '0002_at.sql']);
    expect((await lineshaft.migrate()).steps).toEqual([]);
    await lineshaft.demandSchema();
    expect((await lineshaft.examine()).filter((finding) => finding.code.startsWith('drift-'))).toEqual([]);
  });

  test('are demanded', async () => {
    const url = await createDatabase(inject(version === 15 ? 'postgres15' : 'postgres18'));
    await using plain = new Lineshaft({ databaseUrl: url, schema: 'ledgers', log: silentLog });
    await plain.migrate();
    await using lineshaft = await open(folder, url);
    await expect(lineshaft.demandSchema()).rejects.toThrow(
      "plugin 'ledger' is at version 0 in the schema 'ledgers' and 2 is needed",
    );
  });

  test('that were changed after they were applied are refused, as are those of a newer version', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lineshaft-plugin-'));
    const write = (name: string, text: string): Promise<void> => writeFile(join(directory, name), text);
    await write(
      '0001_one.sql',
      '-- One.\n-- Lock cost: none.\ncreate table lineshaft.plugin_ledger (n integer);',
    );
    await write('0002_two.sql', '-- Two.\n-- Lock cost: none.\nselect 1;');
    const own = pathToFileURL(`${directory}/`);
    await using lineshaft = await open(own);
    await lineshaft.migrate();
    await write('0001_one.sql', '-- One.\n-- Lock cost: none.\nselect 1;');
    await expect(lineshaft.migrate()).rejects.toMatchObject({
      code: 'MIGRATION_CHANGED',
      message: expect.stringContaining("migration 0001_one.sql of plugin 'ledger' was changed"),
    });
    await using older = await open(folder, lineshaft.url);
    await expect(older.migrate()).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' });
  });

  test.each([
    ['first.sql', /first\.sql: the name must be NNNN_lower_case\.sql/],
    ['0002_two.sql', /number 1 is missing before two/],
  ])('with a wrong file name (%s) are refused before anything is run', async (name, message) => {
    const directory = await mkdtemp(join(tmpdir(), 'lineshaft-plugin-'));
    await writeFile(join(directory, name), 'select 1;');
    await using lineshaft = await open(pathToFileURL(`${directory}/`));
    await expect(lineshaft.migrate()).rejects.toThrow(message);
    await expect(lineshaft.queues()).rejects.toMatchObject({ code: 'SCHEMA_MISSING' });
  });

  test('that fail leave nothing behind and name their file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lineshaft-plugin-'));
    await writeFile(join(directory, '0001_bad.sql'), '-- Bad.\n-- Lock cost: none.\nselect nonsense;');
    await using lineshaft = await open(pathToFileURL(`${directory}/`));
    await expect(lineshaft.migrate()).rejects.toThrow(
      /migration ledger\/0001_bad\.sql failed and left nothing behind/,
    );
    const { steps } = await lineshaft.migrate({ plan: true });
    expect(steps).toMatchObject([{ plugin: 'ledger', version: 1 }]);
  });
});
