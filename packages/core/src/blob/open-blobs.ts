/** Opens a store of blobs by its address, as options and the environment give it. */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalidOption } from '../domain/errors.ts';
import { FolderBlobs } from './folder.ts';
import type { BlobStore } from './port.ts';
import { S3Blobs } from './s3.ts';

/**
 * A store of blobs: `file:///var/lib/lineshaft/blobs` or a path of a folder; `s3://BUCKET/PREFIX?region=R&endpoint=URL`, with
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where there is one, AWS_SESSION_TOKEN in the environment.
 *
 * @throws OPTION_INVALID
 * @example openBlobs('s3://payloads/lineshaft?endpoint=http://localhost:9000', process.env)
 */
export function openBlobs(
  address: string,
  environment: Readonly<Record<string, string | undefined>>,
): BlobStore {
  if (address.startsWith('s3://') && URL.canParse(address)) return openS3(new URL(address), environment);
  if (address.startsWith('file://') && URL.canParse(address)) return new FolderBlobs(fileURLToPath(address));
  if (address !== '' && !/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) return new FolderBlobs(resolve(address));
  throw invalidOption('blobs', address, "a folder, 'file:///…' or 's3://BUCKET/PREFIX'");
}

function openS3(url: URL, environment: Readonly<Record<string, string | undefined>>): BlobStore {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION } = environment;
  if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined)
    throw invalidOption(
      'blobs',
      `s3://${url.host}`,
      'an address of S3 with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment',
    );
  if (url.host === '') throw invalidOption('blobs', url.href, 's3://BUCKET/PREFIX');
  const region = url.searchParams.get('region') ?? AWS_REGION;
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  return new S3Blobs({
    bucket: url.host,
    prefix: url.pathname.replaceAll(/^\/+|\/+$/g, ''),
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
  });
}
