/**
 * The same conversations with the reference server and with ours: every difference must be in differences.json, with
 * its reason, and every difference that is there must show.
 */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { type ReferenceServer, startReference } from '../../tools/reference/server.ts';
import { type OurServer, startOurs } from '../clients/ours.ts';
import { judge, type KnownDifference } from './compare.ts';
import known from './differences.json' with { type: 'json' };
import { compareAll } from './run.ts';
import { scenarios } from './scenarios/index.ts';

/** The first time the reference is fetched. */
const startTimeoutMs = 600_000;
const talkTimeoutMs = 600_000;

let theirs: ReferenceServer;
let ours: OurServer;

beforeAll(async () => {
  theirs = await startReference();
  ours = await startOurs(await createDatabase(inject('postgres18')));
}, startTimeoutMs);

afterAll(async () => {
  await Promise.all([theirs?.stop(), ours?.stop()]);
});

test('we answer as the real server, but for what is listed with its reason', {
  timeout: talkTimeoutMs,
}, async () => {
  const differences = await compareAll(scenarios, `${theirs.url}/api`, `${ours.url}/api`);
  const { unknown, unmet } = judge(differences, known as readonly KnownDifference[]);
  expect(unknown.slice(0, 20), `${unknown.length} differences that are not listed`).toEqual([]);
  expect(unmet, 'entries of differences.json that nothing met').toEqual([]);
});
