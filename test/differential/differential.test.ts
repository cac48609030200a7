/**
 * The same conversations with the reference server and with ours: every difference must be in differences.json, with
 * its reason, and every difference that is there must show.
 */
import { afterEach, expect, inject, test } from 'vitest';
import { createDatabase } from '../../packages/core/src/testing/server.ts';
import { startReference } from '../../tools/reference/server.ts';
import { startOurs } from '../clients/ours.ts';
import { known } from './known.ts';
import { compareForSure, type Pair } from './run.ts';
import { scenarios } from './scenarios/index.ts';

/** The first time the reference is fetched; then it is started up to three times. */
const timeoutMs = 1_800_000;

const running: { stop(): Promise<void> }[] = [];

async function stopAll(): Promise<void> {
  await Promise.all(running.splice(0).map((server) => server.stop()));
}

async function fresh(): Promise<Pair> {
  await stopAll();
  const theirs = await startReference();
  running.push(theirs);
  const ours = await startOurs(await createDatabase(inject('postgres18')));
  running.push(ours);
  return { theirs: `${theirs.url}/api`, ours: `${ours.url}/api` };
}

afterEach(stopAll);

test('we answer as the real server, but for what is listed with its reason', {
  timeout: timeoutMs,
}, async () => {
  const { unknown, unmet } = await compareForSure(scenarios, known, fresh);
  expect(unknown.slice(0, 20), `${unknown.length} differences that are not listed`).toEqual([]);
  expect(unmet, 'entries of differences.json that nothing met').toEqual([]);
});
