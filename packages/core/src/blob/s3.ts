/** Blobs in a bucket of S3, or of anything that speaks its protocol. */

import { AwsClient } from 'aws4fetch';
import { LineshaftError } from '../domain/errors.ts';
import { type BlobStore, checkedPath } from './port.ts';
import { tooLarge } from './too-large.ts';

export interface S3Options {
  readonly bucket: string;
  /** Put before all paths, without slashes at its ends. Default none. */
  readonly prefix?: string;
  /** Default `us-east-1`. */
  readonly region?: string;
  /** Of the service, such as `http://localhost:9000`. Default that of AWS in the region. */
  readonly endpoint?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Of one request, in ms. Default 30,000. */
  readonly timeoutMs?: number;
}

const retries = 3;

export class S3Blobs implements BlobStore {
  private readonly client: AwsClient;
  private readonly base: string;
  private readonly prefix: string;
  private readonly timeoutMs: number;

  constructor(options: S3Options) {
    const { region = 'us-east-1', accessKeyId, secretAccessKey, sessionToken } = options;
    const token = sessionToken === undefined ? {} : { sessionToken };
    this.client = new AwsClient({ accessKeyId, secretAccessKey, ...token, region, service: 's3', retries });
    const endpoint = options.endpoint ?? `https://s3.${region}.amazonaws.com`;
    this.base = `${endpoint.replace(/\/+$/, '')}/${encodeURIComponent(options.bucket)}`;
    this.prefix = options.prefix === undefined || options.prefix === '' ? '' : `${options.prefix}/`;
    this.timeoutMs = options.timeoutMs ?? 30_000;
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    const answer = await this.send(path, this.urlOf(path), { method: 'PUT', body: Buffer.from(bytes) });
    if (answer.status !== 200) throw await refusal(path, answer);
    await answer.body?.cancel();
  }

  async get(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const answer = await this.send(path, this.urlOf(path), { method: 'GET' });
    if (answer.status === 404) return await nothing(answer);
    if (answer.status !== 200) throw await refusal(path, answer);
    const bytes = Number(answer.headers.get('content-length') ?? 0);
    if (bytes > maxBytes) {
      await answer.body?.cancel();
      throw tooLarge(path, bytes, maxBytes);
    }
    return await readAtMost(path, answer, maxBytes);
  }

  async size(path: string): Promise<number | undefined> {
    const answer = await this.send(path, this.urlOf(path), { method: 'HEAD' });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw await refusal(path, answer);
    return Number(answer.headers.get('content-length') ?? 0);
  }

  async delete(path: string): Promise<void> {
    const answer = await this.send(path, this.urlOf(path), { method: 'DELETE' });
    if (answer.status >= 300 && answer.status !== 404) throw await refusal(path, answer);
    await answer.body?.cancel();
  }

  async *list(prefix: string): AsyncIterable<string> {
    let last: string | undefined;
    do {
      const query = new URLSearchParams({ 'list-type': '2', prefix: this.prefix + prefix });
      // As good as the token of the page before, and understood by all servers.
      if (last !== undefined) query.set('start-after', last);
      const answer = await this.send(prefix, `${this.base}?${query}`, { method: 'GET' });
      if (answer.status !== 200) throw await refusal(prefix, answer);
      const text = await answer.text();
      const keys = [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => plain(key));
      yield* keys.map((key) => key.slice(this.prefix.length));
      last = text.includes('<IsTruncated>true</IsTruncated>') ? keys.at(-1) : undefined;
    } while (last !== undefined);
  }

  async location(path: string, operation: 'READ' | 'WRITE', expiresSeconds: number): Promise<string> {
    const url = new URL(this.urlOf(path));
    url.searchParams.set('X-Amz-Expires', String(expiresSeconds));
    const method = operation === 'READ' ? 'GET' : 'PUT';
    const signed = await this.client.sign(url.toString(), { method, aws: { signQuery: true } });
    return signed.url;
  }

  private urlOf(path: string): string {
    return `${this.base}/${this.prefix}${checkedPath(path)}`;
  }

  private async send(path: string, url: string, request: RequestInit): Promise<Response> {
    try {
      return await this.client.fetch(url, { ...request, signal: AbortSignal.timeout(this.timeoutMs) });
    } catch (error) {
      const { message, cause } = error as Error;
      throw unavailable(path, cause instanceof Error ? cause.message : message, error);
    }
  }
}

async function nothing(answer: Response): Promise<undefined> {
  await answer.body?.cancel();
}

/** Also where the length was not said, or was wrong. */
async function readAtMost(path: string, answer: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > maxBytes) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw unavailable(path, (error as Error).message, error);
  }
  if (bytes > maxBytes) throw tooLarge(path, bytes, maxBytes);
  return Buffer.concat(chunks);
}

async function refusal(path: string, answer: Response): Promise<LineshaftError> {
  const text = await answer.text().catch(() => '');
  const [, code] = /<Code>([^<]{1,100})<\/Code>/.exec(text) ?? [];
  return unavailable(path, `HTTP ${answer.status}${code === undefined ? '' : ` ${code}`}`, undefined);
}

function unavailable(path: string, why: string, cause: unknown): LineshaftError {
  return new LineshaftError('BLOB_UNAVAILABLE', {
    message: `the blob '${path}' can't be reached in its bucket: ${why}`,
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}

function plain(text: string): string {
  const names: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replaceAll(/&(lt|gt|quot|apos|amp);/g, (_whole, name: string) => names[name] ?? '');
}
