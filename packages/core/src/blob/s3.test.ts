import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { all, blobStoreConformance } from './blob.conformance.ts';
import { S3Blobs } from './s3.ts';

/** s3rver has no types. */
interface Server {
  run(): Promise<AddressInfo>;
  close(): Promise<void>;
}
const S3rver = createRequire(import.meta.url)('s3rver') as new (options: object) => Server;

let folder = '';
let server: Server;
let endpoint = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3-'));
  server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: folder,
    configureBuckets: [{ name: 'payloads' }],
  });
  endpoint = `http://127.0.0.1:${(await server.run()).port}`;
});

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const keys = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
const store = (more: object = {}) => new S3Blobs({ bucket: 'payloads', endpoint, ...keys, ...more });

describe('blobs in a bucket', () => {
  blobStoreConformance(() => store({ prefix: 'some/prefix' }));
});

describe('a bucket', () => {
  test('is listed to the end, page by page', async () => {
    // s3rver can't make the token of a second page on this Node: these are its answers, without it.
    const keys = ['a&amp;b', 'c', 'd'];
    const pages = createServer((request, response) => {
      const after = new URL(request.url ?? '', endpoint).searchParams.get('start-after');
      const [key] = after === null ? keys : keys.slice(keys.indexOf(after.replace('&', '&amp;')) + 1);
      const truncated = key !== keys.at(-1);
      response.end(
        `<ListBucketResult><IsTruncated>${truncated}</IsTruncated><Key>${key}</Key></ListBucketResult>`,
      );
    });
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
    const { port } = pages.address() as AddressInfo;
    const paged = store({ endpoint: `http://127.0.0.1:${port}` });
    expect(await all(paged.list(''))).toEqual(['a&b', 'c', 'd']);
    pages.closeAllConnections();
    pages.close();
  });

  test('that is not there, or can not be reached, is an error that says so', async () => {
    const none = store({ bucket: 'nobodys' });
    await expect(none.put('a', new Uint8Array(1))).rejects.toThrow(/HTTP 404 NoSuchBucket/);
    const away = store({ endpoint: 'http://127.0.0.1:1' });
    await expect(away.size('a')).rejects.toMatchObject({ code: 'BLOB_UNAVAILABLE', retryable: true });
  });

  test('gives addresses that end', async () => {
    const url = new URL((await store().location('a', 'READ', 60)) ?? '');
    expect(url.searchParams.get('X-Amz-Expires')).toBe('60');
    expect(url.searchParams.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/);
  });
});
