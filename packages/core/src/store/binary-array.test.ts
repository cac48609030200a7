import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { doubleArray, integerArray, jsonArray, jsonTexts, uuidArray } from './binary-array.ts';

describe('arrays in the binary format', () => {
  test('are as the server documents them', () => {
    const header = (type: string, length: string) => `00000001 00000000 ${type} ${length} 00000001`;
    expect(uuidArray(['0193A0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b']).toString('hex')).toBe(
      `${header('00000b86', '00000001')} 00000010 0193a0b1c2d37e4f8a5b6c7d8e9f0a1b`.replaceAll(' ', ''),
    );
    expect(jsonArray(['"ä"', '1']).toString('hex')).toBe(
      `${header('00000072', '00000002')} 00000004 22c3a422 00000001 31`.replaceAll(' ', ''),
    );
    expect(integerArray([258, -1]).toString('hex')).toBe(
      `${header('00000017', '00000002')} 00000004 00000102 00000004 ffffffff`.replaceAll(' ', ''),
    );
    expect(doubleArray([1.5]).toString('hex')).toBe(
      `${header('000002bd', '00000001')} 00000008 3ff8000000000000`.replaceAll(' ', ''),
    );
  });

  test('say where something is null', () => {
    expect(jsonArray(['1', undefined]).toString('hex')).toBe(
      '00000001 00000001 00000072 00000002 00000001 00000001 31 ffffffff'.replaceAll(' ', ''),
    );
    expect(doubleArray([undefined, 2]).toString('hex')).toBe(
      '00000001 00000001 000002bd 00000002 00000001 ffffffff 00000008 4000000000000000'.replaceAll(' ', ''),
    );
  });

  test('give texts back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 50 })), (texts) => {
        expect(jsonTexts(jsonArray(texts))).toEqual(texts);
      }),
    );
  });
});
