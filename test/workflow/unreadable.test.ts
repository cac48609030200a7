/** A run that cannot be read holds up no steps of others that were claimed with it. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keep } from '../../packages/core/src/workflow/definition-book.ts';
import { gate, openSite, type Site, until, versions } from '../worker/site.ts';
import { aRun, aStep, beginning, storeAt, twoSteps } from './run-fixtures.ts';

describe.each(versions)('a run that cannot be read, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site?.close());

  test('holds up no steps of others, nor its own', async () => {
    const lost = { ...twoSteps, name: 'lost' };
    const runs = [aRun({ definition: lost }), ...Array.from({ length: 9 }, () => aRun())];
    const store = storeAt(site.url);
    for (const run of runs) await store.apply([beginning(run, [aStep({ input: { run: run.id } })])]);
    await store.close();
    await site.rows('delete from lineshaft.run_definition where hash = $1', [keep(lost).hash]);
    const began = new Set<unknown>();
    const hold = gate();
    const first = async (input: unknown): Promise<void> => {
      began.add((input as { run: string }).run);
      await hold.opened;
    };
    await site.work('workflow', { slots: 20, handlers: { first } });
    await until('all have begun', () => began.size === runs.length);
    expect(began).toEqual(new Set(runs.map(({ id }) => id)));
    hold.open();
  });
});
