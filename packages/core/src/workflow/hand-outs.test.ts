import { describe, expect, it } from 'vitest';
import { settled, stillClock } from '../testing/still-clock.ts';
import { type HandOut, HandOuts } from './hand-outs.ts';

function site(options: { readonly fails?: () => boolean } = {}) {
  const clock = stillClock();
  const told: HandOut[][] = [];
  const reported = new Set<string>();
  const handOuts = new HandOuts({
    clock,
    isOut: (stepId) => !reported.has(stepId),
    async tell(steps) {
      if (options.fails?.() === true) throw new Error('away');
      told.push([...steps]);
    },
  });
  return { clock, told, reported, handOuts };
}

describe('answers on their way', () => {
  it('tells together of all that were sent and are still out after half a second, once', async () => {
    const { clock, told, handOuts } = site();
    for (const stepId of ['a', 'b']) {
      handOuts.taken(stepId, 'claim');
      handOuts.sent(stepId);
    }
    await clock.pass(499);
    expect(told).toEqual([]);
    await clock.pass(1);
    expect(told).toEqual([
      [
        { stepId: 'a', claim: 'claim', sent: true },
        { stepId: 'b', claim: 'claim', sent: true },
      ],
    ]);
    await clock.pass(60_000);
    expect(told).toHaveLength(1);
    expect(clock.pauses()).toEqual([]);
  });

  it('says nothing of steps that were reported or given back before', async () => {
    const { clock, told, reported, handOuts } = site();
    handOuts.taken('reported', 'one');
    handOuts.sent('reported');
    handOuts.taken('given back', 'one');
    handOuts.answered('given back');
    reported.add('reported');
    handOuts.forget('given back');
    await clock.pass(60_000);
    expect(told).toEqual([]);
    expect(clock.pauses()).toEqual([]);
  });

  it('keeps the steps of an answer that takes long, and tells when it was sent', async () => {
    const { clock, told, handOuts } = site();
    handOuts.taken('a', 'one');
    handOuts.answered('a');
    for (let n = 0; n < 7; n += 1) await clock.pass(500);
    expect(told).toEqual([[{ stepId: 'a', claim: 'one', sent: false }]]);
    handOuts.sent('a');
    await clock.pass(500);
    expect(told.at(-1)).toEqual([{ stepId: 'a', claim: 'one', sent: true }]);
  });

  it('tries again while the database is away', async () => {
    let away = true;
    const { clock, told, handOuts } = site({ fails: () => away });
    handOuts.taken('a', 'one');
    handOuts.sent('a');
    await clock.pass(500);
    expect(told).toEqual([]);
    away = false;
    await clock.pass(500);
    expect(told).toHaveLength(1);
  });

  it('speaks of the claim that has the step now', async () => {
    const { clock, told, handOuts } = site();
    handOuts.taken('a', 'one');
    await clock.pass(400);
    handOuts.forget('a');
    handOuts.taken('a', 'two');
    handOuts.sent('a');
    await clock.pass(500);
    expect(told).toEqual([[{ stepId: 'a', claim: 'two', sent: true }]]);
  });

  it('tells at its end of what was sent, and leaves the rest to the database', async () => {
    const { clock, told, handOuts } = site();
    handOuts.taken('sent', 'one');
    handOuts.sent('sent');
    handOuts.taken('not yet', 'one');
    handOuts.answered('not yet');
    await handOuts.close();
    await settled();
    expect(told).toEqual([[{ stepId: 'sent', claim: 'one', sent: true }]]);
    expect(clock.pauses()).toEqual([]);
  });
});
