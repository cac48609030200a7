import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blobStoreConformance } from './blob.conformance.ts';
import { FolderBlobs } from './folder.ts';
import { openBlobs } from './open-blobs.ts';
import { S3Blobs } from './s3.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blobs-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('blobs in a folder', () => {
  blobStoreConformance(() => new FolderBlobs(join(folder, 'made when needed')));

  test('say so where the folder can not be used', async () => {
    await new FolderBlobs(folder).put('a-file', new Uint8Array());
    await expect(new FolderBlobs('/dev/null/x').put('y', new Uint8Array())).rejects.toMatchObject({
      code: 'BLOB_UNAVAILABLE',
    });
    expect(await new FolderBlobs(join(folder, 'a-file')).get('y', 10)).toBeUndefined();
  });
});

test('a store is opened by its address', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' };
  expect(openBlobs(folder, {})).toBeInstanceOf(FolderBlobs);
  expect(openBlobs(`file://${folder}`, {})).toBeInstanceOf(FolderBlobs);
  expect(openBlobs('s3://bucket/prefix?region=eu-west-1', keys)).toBeInstanceOf(S3Blobs);
  expect(() => openBlobs('s3://bucket', {})).toThrow(/AWS_ACCESS_KEY_ID/);
  expect(() => openBlobs('ftp://host', keys)).toThrow(/blobs must be/);
  expect(() => openBlobs('', keys)).toThrow(/blobs must be/);
});
