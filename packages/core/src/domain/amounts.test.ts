import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  amountsText,
  amountText,
  maxAmount,
  offersEnough,
  parseAmount,
  shortOf,
  takeAmounts,
  timesFitting,
  validateAmounts,
} from './amounts.ts';
import { isLineshaftError } from './errors.ts';

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isLineshaftError(error, 'OPTION_INVALID')) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('an amount is written as Kubernetes writes quantities', () => {
  test.each([
    ['2', 2],
    [2, 2],
    [0, 0],
    ['0.5', 0.5],
    [0.001, 0.001],
    ['500m', 0.5],
    ['1500m', 1.5],
    ['.5', 0.5],
    ['2.', 2],
    ['3k', 3_000],
    ['1M', 1_000_000],
    ['2G', 2_000_000_000],
    ['1T', 1_000_000_000_000],
    ['1Ki', 1_024],
    ['64Mi', 67_108_864],
    ['16Gi', 17_179_869_184],
    ['1.5Gi', 1_610_612_736],
    ['8Ti', maxAmount],
    ['1e3', 1_000],
    ['5E-1', 0.5],
    ['1000000n', 0.001],
    ['2000u', 0.002],
    ['+4', 4],
    [' 4 ', 4],
  ])('%j is %d', (written, amount) => {
    expect(parseAmount(written, 'needs.x')).toBe(amount);
  });

  test.each([
    '',
    ' ',
    'm',
    '.',
    'K',
    '1K',
    '1KI',
    '1 Gi',
    '16GB',
    '-1',
    '1e999',
    '0.0001',
    '1n',
    '9Ti',
    '1Ei',
    'one',
  ])('%j is refused, with the field and what would be right', (written) => {
    const message = refusal(() => parseAmount(written, 'offers.x'));
    expect(message).toMatch(/^offers\.x must be an amount from 0 to 8Ti.*16Gi/);
    expect(message).toContain(`not '${written}'`);
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 0.0001, maxAmount + 1, null, true, [], {}])(
    '%j is refused',
    (value) => expect(refusal(() => parseAmount(value, 'x'))).toContain('x must be an amount'),
  );

  test('what is shown can be read back', () => {
    expect([0.5, 1.5, 3, 1_024, 17_179_869_184, 1_000].map(amountText)).toEqual([
      ...['500m', '1.5', '3', '1Ki', '16Gi', '1000'],
    ]);
    const property = fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (milli) => {
      expect(parseAmount(amountText(milli / 1000), 'x')).toBe(milli / 1000);
    });
    fc.assert(property);
  });
});

describe('named amounts', () => {
  test('are kept in the order of their names, without zeros', () => {
    const checked = validateAmounts({ memory: '4Gi', gpu: 1, fpga: 0, disk: undefined }, 'needs');
    expect(JSON.stringify(checked)).toBe('{"gpu":1,"memory":4294967296}');
    expect(amountsText(checked)).toBe('gpu=1, memory=4Gi');
    expect(amountsText({})).toBe('nothing');
  });

  test('are refused with the field', () => {
    expect(refusal(() => validateAmounts([], 'needs'))).toContain('needs must be an object');
    expect(refusal(() => validateAmounts({ 'a b': 1 }, 'needs'))).toContain("not 'a b'");
    expect(refusal(() => validateAmounts({ __proto__x: 1 }, 'needs'))).toContain('start with a letter');
    expect(refusal(() => validateAmounts({ gpu: 'one' }, 'needs'))).toContain('needs.gpu must be');
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`a${n}`, 1]));
    expect(refusal(() => validateAmounts(many, 'offers'))).toContain('at most 20 amounts, not 21');
  });

  test('fit as often as the scarcest allows', () => {
    expect(timesFitting({ gpu: 1, memory: 4 }, { gpu: 8, memory: 10 })).toBe(2);
    expect(timesFitting({ gpu: 1 }, {})).toBe(0);
    expect(timesFitting({ constructor: 1 }, {})).toBe(0);
    expect(timesFitting({}, {})).toBe(Number.POSITIVE_INFINITY);
    expect(timesFitting({ gpu: 1 }, { gpu: -1 })).toBe(0);
    expect([offersEnough({ gpu: 1 }, { gpu: 1 }), offersEnough({ gpu: 1 }, { gpu: 2 })]).toEqual([
      true,
      false,
    ]);
    expect(shortOf({ gpu: 2, memory: 1 }, { gpu: 1, memory: 1 })).toEqual(['gpu']);
  });

  test('thousandths do not drift, however often they are taken and given back', () => {
    let free: Readonly<Record<string, number>> = { cpu: 1 };
    for (let n = 0; n < 10; n += 1) free = takeAmounts(free, { cpu: 0.1 });
    expect(free).toEqual({ cpu: 0 });
    expect(timesFitting({ cpu: 0.1 }, { cpu: 0.3 })).toBe(3);
    expect(takeAmounts({ cpu: 0.7 }, { cpu: 0.1 }, -3)).toEqual({ cpu: 1 });
  });
});
