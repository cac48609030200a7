import { describe, expect, test } from 'vitest';
import type { BlobStore } from '../blob/port.ts';
import { checkedPath } from '../blob/port.ts';
import { PayloadBook } from './payload-book.ts';

const kept = new Map<string, Uint8Array>();
const blobs: BlobStore = {
  put: async (path, bytes) => {
    kept.set(checkedPath(path), bytes);
  },
  get: async (path) => kept.get(checkedPath(path)),
  size: async (path) => kept.get(path)?.length,
  delete: async (path) => {
    kept.delete(path);
  },
  list: async function* () {
    yield* kept.keys();
  },
  location: async (path, operation) => `https://store/${checkedPath(path)}?${operation}`,
};
let ids = 0;
const newId = () => {
  ids += 1;
  return `id-${ids}`;
};
const book = new PayloadBook({ blobs, newId });

describe('payloads that are kept apart', () => {
  test('are written under a new path, and read under it', async () => {
    const where = await book.location({ path: '', operation: 'WRITE', payloadType: 'TASK_OUTPUT' });
    expect(where).toEqual({ uri: `https://store/${where.path}?WRITE`, path: where.path });
    expect(where.path).toMatch(/^task\/output\/id-\d+\.json$/);
    await blobs.put(where.path, new TextEncoder().encode('{"n":1}'));
    expect(await book.read(where.path)).toEqual({ n: 1 });
  });

  test('take the place of the input of a run and the output of a step that name them', async () => {
    const path = 'workflow/input/mine.json';
    await blobs.put(path, new TextEncoder().encode('{"a":["ü"]}'));
    expect(await book.withInput({ name: 'w', externalInputPath: path })).toEqual({
      name: 'w',
      input: { a: ['ü'] },
    });
    const report = { stepId: 's', status: 'COMPLETED' } as const;
    expect(await book.withOutput({ ...report, externalOutputPath: path })).toEqual({
      ...report,
      output: { a: ['ü'] },
    });
    expect(await book.withInput({ name: 'w', input: { b: 1 } })).toEqual({ name: 'w', input: { b: 1 } });
    await expect(book.withInput({ name: 'w', externalInputPath: 'other/x.json' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
  });

  test.each(['../secret', 'other/file.json', 'task/input/../../x', ''])(
    'the path %j is not given away',
    async (path) => {
      const asked = book.location({ path, operation: 'READ', payloadType: 'TASK_INPUT' });
      await expect(asked).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    },
  );

  test('that are not there, or are no objects, say so', async () => {
    await expect(book.read('task/input/none.json')).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    for (const text of ['[1]', '{', 'null', '\ufffd\u0000']) {
      await blobs.put('task/input/odd.json', new TextEncoder().encode(text));
      await expect(book.read('task/input/odd.json')).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
    }
  });

  test('without a store, or one that clients can reach, are refused with what to do', async () => {
    const none = new PayloadBook({ blobs: undefined, newId });
    const request = { path: '', operation: 'WRITE', payloadType: 'TASK_INPUT' } as const;
    await expect(none.location(request)).rejects.toThrow(/LINESHAFT_BLOBS/);
    const folder = new PayloadBook({ blobs: { ...blobs, location: async () => undefined }, newId });
    await expect(folder.location(request)).rejects.toThrow(/bucket/);
  });
});
