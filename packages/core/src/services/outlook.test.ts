import { expect, test } from 'vitest';
import type { Row } from '../store/session.ts';
import { settled, stillClock } from '../testing/still-clock.ts';
import { Outlook } from './outlook.ts';

/** A database that answers when it is told to, and counts how often it was asked. */
function asked() {
  const clock = stillClock();
  const state = { asks: 0, row: ['3000', null, null, 'f', 'f'] as Row };
  const answers: (() => void)[] = [];
  const outlook = new Outlook(clock, () => {
    state.asks += 1;
    const { row } = state;
    return new Promise((resolve) => answers.push(() => resolve([row])));
  });
  const answer = async (): Promise<void> => {
    for (const each of answers.splice(0)) each();
    await settled();
  };
  const within = async (maxAgeMs: number) => {
    const prospect = outlook.within(maxAgeMs);
    await answer();
    return await prospect;
  };
  return { clock, state, outlook, answer, within };
}

test('those who ask within the time share one answer', async () => {
  const { clock, state, outlook, within } = asked();
  const [first, second] = await Promise.all([outlook.within(5_000), within(5_000)]);
  expect(second).toBe(first);
  expect(first).toMatchObject({ jobAtMs: 3_000, scheduleAtMs: Number.POSITIVE_INFINITY, anyReady: false });
  await clock.pass(4_999);
  expect(await within(5_000)).toBe(first);
  expect(state.asks).toBe(1);
  await clock.pass(1);
  expect(await within(5_000)).toMatchObject({ askedAtMs: 5_000, jobAtMs: 8_000 });
  expect(state.asks).toBe(2);
});

test('heartbeats that come often enough leave nothing to ask', async () => {
  const { clock, state, outlook, within } = asked();
  for (let beat = 0; beat < 10; beat += 1) {
    outlook.expect()([null, null, null, 'f', 'f']);
    await clock.pass(4_750);
    const prospect = await within(5_000);
    expect(outlook.sleepMs(prospect, prospect.jobAtMs, 5_000)).toBe(250);
  }
  expect(state.asks).toBe(0);
});

test('an answer from before a change is not kept', async () => {
  const { state, outlook, answer, within } = asked();
  const early = outlook.within(5_000);
  const beat = outlook.expect();
  outlook.forget();
  beat([null, null, null, 'f', 'f']);
  state.row = ['10', null, null, 'f', 't'];
  const late = outlook.within(5_000);
  await answer();
  expect(await early).toMatchObject({ jobAtMs: 3_000 });
  expect(await late).toMatchObject({ jobAtMs: 10 });
  expect(await within(5_000)).toBe(await late);
  expect(state.asks).toBe(2);
});

test('an older answer does not replace a younger one', async () => {
  const { clock, outlook, within } = asked();
  const slow = outlook.expect();
  await clock.pass(100);
  outlook.expect()([null, null, null, 'f', 't']);
  slow([null, null, null, 'f', 'f']);
  expect(await within(5_000)).toMatchObject({ askedAtMs: 100, anyReady: true });
});

test('an answer that never came is asked for again', async () => {
  const clock = stillClock();
  let asks = 0;
  const outlook = new Outlook(clock, async () => {
    asks += 1;
    if (asks === 1) throw new Error('away');
    return [['0', null, null, 'f', 'f']];
  });
  await expect(outlook.within(5_000)).rejects.toThrow('away');
  expect(await outlook.within(5_000)).toMatchObject({ jobAtMs: 0 });
});

test('says since when nothing can be claimed, and nothing if it does not know', async () => {
  const { clock, outlook } = asked();
  expect(outlook.sinceEmptyMs()).toBe(Number.POSITIVE_INFINITY);
  outlook.expect()([null, null, null, 'f', 'f']);
  await clock.pass(700);
  expect(outlook.sinceEmptyMs()).toBe(700);
  outlook.expect()([null, null, null, 'f', 't']);
  expect(outlook.sinceEmptyMs()).toBe(Number.POSITIVE_INFINITY);
});

test('sleeps until what comes first: what is due, or the end of the time for which the answer is believed', async () => {
  const { clock, outlook, within } = asked();
  const prospect = await within(5_000);
  expect(outlook.sleepMs(prospect, prospect.jobAtMs, 5_000)).toBe(3_000);
  expect(outlook.sleepMs(prospect, prospect.scheduleAtMs, 5_000)).toBe(5_000);
  await clock.pass(6_000);
  expect(outlook.sleepMs(prospect, prospect.jobAtMs, 5_000)).toBe(1);
});
