/** What every store of blobs must do. */

import { expect, test } from 'vitest';
import type { BlobStore } from './port.ts';

const mebibyte = 1_048_576;
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** All that an iterable gives. */
export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** @param open gives a store that is empty at first, the same at each call */
export function blobStoreConformance(open: () => BlobStore): void {
  test('what was put is got, whatever is in it', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await open().put('any/bytes.bin', bytes);
    expect(Buffer.from((await open().get('any/bytes.bin', mebibyte)) ?? [])).toEqual(Buffer.from(bytes));
    expect(await open().size('any/bytes.bin')).toBe(256);
    await open().put('any/empty', new Uint8Array());
    expect(await open().size('any/empty')).toBe(0);
    expect((await open().get('any/empty', 10))?.length).toBe(0);
  });

  test('what was never put, or was deleted, is not there', async () => {
    expect(await open().get('no/such', 10)).toBeUndefined();
    expect(await open().size('no/such')).toBeUndefined();
    await open().put('gone/soon', bytesOf('x'));
    await open().delete('gone/soon');
    await open().delete('gone/soon');
    expect(await open().get('gone/soon', 10)).toBeUndefined();
    expect(await open().get('gone', 10)).toBeUndefined();
  });

  test('a large one is got whole, and refused where less is allowed', async () => {
    const large = new Uint8Array(6 * mebibyte).fill(7);
    await open().put('large', large);
    expect((await open().get('large', 6 * mebibyte))?.length).toBe(6 * mebibyte);
    await expect(open().get('large', mebibyte)).rejects.toMatchObject({ code: 'BLOB_TOO_LARGE' });
  });

  test('putting again, also at the same time, leaves one whole blob', async () => {
    const texts = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(100_000));
    await Promise.all(texts.map((text) => open().put('same', bytesOf(text))));
    const kept = new TextDecoder().decode(await open().get('same', mebibyte));
    expect(texts).toContain(kept);
  });

  test('paths are listed by how they begin', async () => {
    for (const path of ['list/a/1', 'list/a/2', 'list/b', 'listed']) await open().put(path, bytesOf(path));
    expect((await all(open().list('list/'))).sort()).toEqual(['list/a/1', 'list/a/2', 'list/b']);
    expect(await all(open().list('nothing/'))).toEqual([]);
  });

  test.each([
    '',
    '/abs',
    'a//b',
    '../out',
    'a/../../out',
    'a/.',
    'a\\b',
    'a b',
    'ä',
    'x'.repeat(600),
    'a\u0000',
  ])('the path %j is refused', async (path) => {
    for (const call of [
      () => open().put(path, bytesOf('x')),
      () => open().get(path, 10),
      () => open().delete(path),
      () => open().location(path, 'READ', 60),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  test('others read and write at the address that it gives them, if it has any', async () => {
    const location = await open().location('for/others', 'WRITE', 60);
    if (location === undefined) return;
    expect((await fetch(location, { method: 'PUT', body: 'from outside' })).status).toBe(200);
    const read = await open().location('for/others', 'READ', 60);
    expect(await (await fetch(read ?? '')).text()).toBe('from outside');
  });
}
