import { describe, expect, test } from 'vitest';
import { eachWord, eachWordOfJson, hasWords, searchWordsOf } from './search-words.ts';

const wordsOf = (text: string): string[] => {
  const words: string[] = [];
  eachWord(text, (word) => words.push(word));
  return words;
};
const wordsOfJson = (value: unknown): string[] => {
  const words: string[] = [];
  eachWordOfJson(JSON.stringify(value), (word) => words.push(word));
  return words;
};
const exact = (...words: string[]) => words.map((text) => ({ text, prefix: false }));

describe('words of a text', () => {
  test.each([
    ['Ada and Grace', ['ada', 'and', 'grace']],
    ['  (Ada), "Grace"!', ['ada', 'grace']],
    ['ord-17', ['ord-17', 'ord', '17']],
    ['ada@example.com.', ['ada@example.com', 'ada', 'example', 'com']],
    ['-17 _x_ a--b', ['17', 'x', 'a', 'b']],
    ['12.50', ['12.50', '12', '50']],
    ['Äpfel und Ω', ['äpfel', 'und', 'ω']],
    ['“quoted”—dash…', ['quoted', 'dash']],
    ['注文 完了。次', ['注文', '完了', '次']],
    ['0198c2a4-7f00-7abc-8def-0123456789ab', ['0198c2a4-7f00-7abc-8def-0123456789ab']],
    ['', []],
    ['--- !!!', []],
  ])('%s', (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  test('a long word is cut, and not within a character', () => {
    expect(wordsOf('x'.repeat(250))).toEqual(['x'.repeat(100)]);
    expect(wordsOf(`${'x'.repeat(99)}😀tail`)).toEqual(['x'.repeat(99)]);
    expect(searchWordsOf(['x'.repeat(250)])).toEqual(exact('x'.repeat(100)));
  });
});

test('words of JSON are those of its names and values; escapes stand between words', () => {
  expect(wordsOfJson({ orderId: 'A-7', n: [1, -2.5, true, null] })).toEqual([
    ...['orderid', 'a-7', 'a', '7', 'n', '1', '2.5', '2', '5', 'true', 'null'],
  ]);
  expect(wordsOfJson('one\ntwo\\three"four\u0000five')).toEqual(['one', 'two', 'three', 'four', 'five']);
});

test('what is asked for: joined words as a whole, beginnings with what joins', () => {
  expect(searchWordsOf(['Ada', 'ord-17', 'ada'])).toEqual(exact('ada', 'ord-17'));
  expect(searchWordsOf(['a,b'])).toEqual(exact('a', 'b'));
  expect(searchWordsOf(['ord-1*'])).toEqual([{ text: 'ord-1', prefix: true }]);
  expect(searchWordsOf(['ord-*'])).toEqual([{ text: 'ord-', prefix: true }]);
  expect(searchWordsOf(['a,b*'])).toEqual([...exact('a'), { text: 'b', prefix: true }]);
  expect(searchWordsOf(['(a)*'])).toEqual(exact('a'));
  expect(searchWordsOf(['---', '!', '*'])).toEqual([]);
});

test('all of the words must occur, in the text or in the documents', () => {
  const fits = (free: string): boolean =>
    hasWords(searchWordsOf(free.split(' ')), 'my-flow corr-1', '{"a":"Ada Lovelace"} {"n":17}');
  expect(fits('ada 17 my-flow')).toBe(true);
  expect(fits('love* corr-*')).toBe(true);
  expect(fits('ada 18')).toBe(false);
  expect(fits('low')).toBe(false);
  expect(fits('corr-2')).toBe(false);
});
