/**
 * What real clients say on the wire, recorded, and said again to a server of ours without the clients: every call must
 * be understood, and answered with the status and the media type of the reference server where it names no id.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { type OurServer, startOurs } from './ours.ts';
import type { Recorded } from './record.ts';
import { replay } from './replay.ts';

const folder = new URL('recorded/', import.meta.url);

let server: OurServer;

beforeAll(async () => {
  server = await startOurs(await createDatabase(inject('postgres18')));
});

afterAll(async () => {
  await server?.stop();
});

test.each(readdirSync(folder))('%s is understood', { timeout: 120_000 }, async (file) => {
  const calls = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Recorded[];
  expect(calls.length).toBeGreaterThan(50);
  expect(await replay(calls, `${server.url}/api`)).toEqual([]);
});
