import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTextArray } from '../worker/claim-rows.ts';
import {
  batchMaxBytes,
  batchMaxJobs,
  enqueueResults,
  enqueueValues,
  type PreparedJob,
  splitBatches,
  textArray,
} from './enqueue-batch.ts';

function job(id: string, more: Partial<PreparedJob> = {}): PreparedJob {
  return {
    kind: 'one',
    id,
    resend: false,
    payloadText: '1',
    template: { kind: 'one' },
    templateKey: 'one',
    uniqueKey: undefined,
    ...more,
  };
}

describe('the values of a batch', () => {
  test('jobs with equal options share a template, and one template needs no numbers', () => {
    expect(enqueueValues([job('a'), job('b')], 'always', null)).toEqual([
      '[{"kind":"one"}]',
      null,
      '{a,b}',
      '[1,1]',
      null,
      false,
      'always',
      null,
    ]);
    const other = { template: { kind: 'two' }, templateKey: 'two' };
    const values = enqueueValues([job('a'), job('b', other), job('c')], 'auto', 'then');
    expect(values.slice(0, 2)).toEqual(['[{"kind":"one"},{"kind":"two"}]', '{1,2,1}']);
    expect(values.slice(6)).toEqual(['auto', 'then']);
  });

  test('unique keys stand beside jobs that have none; one id that may be known is enough', () => {
    const values = enqueueValues(
      [job('a'), job('b', { uniqueKey: 'say "k"' }), job('c', { resend: true })],
      'never',
      null,
    );
    expect(values[4]).toBe('{null,"say \\"k\\"",null}');
    expect(values[5]).toBe(true);
  });

  test('texts survive the way into an array literal and back', () => {
    const property = fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
      expect(parseTextArray(textArray(texts))).toEqual(texts);
    });
    fc.assert(property);
  });
});

describe('the results of a batch', () => {
  test('all are new but those that the database named', () => {
    expect(enqueueResults(['a', 'b', 'c'], [['2', 'x', 'kept']])).toEqual([
      { id: 'a', result: 'new' },
      { id: 'x', result: 'kept' },
      { id: 'c', result: 'new' },
    ]);
  });
});

describe('cutting a long list', () => {
  test('nothing gives no batch', () => {
    expect(splitBatches([])).toEqual([]);
  });

  test('batches are bounded in number and bytes, in order; a job that is too large stands alone', () => {
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 3 * batchMaxBytes })),
      { maxLength: 30 },
    );
    const property = fc.property(sizes, (lengths) => {
      const jobs = lengths.map((length, n) => job(String(n), { payloadText: { length } as string }));
      const batches = splitBatches(jobs);
      expect(batches.flat()).toEqual(jobs);
      for (const batch of batches) {
        const bytes = batch.reduce((sum, each) => sum + each.payloadText.length, 0);
        expect(batch.length > 0 && (batch.length === 1 || bytes <= batchMaxBytes)).toBe(true);
      }
    });
    fc.assert(property);
    const many = Array.from({ length: 2 * batchMaxJobs + 1 }, (_, n) => job(String(n)));
    expect(splitBatches(many).map((batch) => batch.length)).toEqual([batchMaxJobs, batchMaxJobs, 1]);
  });
});
