/** The process of `lineshaft server`: what is left where it can't begin. */

import { Lineshaft, LineshaftError, silentLog } from '@lineshaft/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serve } from '../../packages/lineshaft/src/compose.ts';
import { openSite, type Site } from '../worker/site.ts';

let site: Site;
beforeAll(async () => {
  site = await openSite(18);
});
afterAll(() => site.close());

it('leaves nothing that keeps the process alive where the database goes while it begins', async () => {
  await using lineshaft = new Lineshaft({ databaseUrl: site.url, log: silentLog });
  const away = new LineshaftError('DATABASE_UNAVAILABLE', { message: 'it has gone' });
  Object.defineProperty(lineshaft.apiKeys, 'any', { value: () => Promise.reject(away) });
  await expect(serve({ lineshaft }, { port: 0, log: silentLog })).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
  });
  // Its worker had begun by then.
  expect(
    await site.rows("select from lineshaft.worker where lease_until > now() and name = 'server'"),
  ).toEqual([]);
});
