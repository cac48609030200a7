/** Payloads that are kept apart from the database: where clients write and read them, and what is in them. */

import type { BlobStore } from '../blob/port.ts';
import { invalidOption, LineshaftError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import type { StartRequest } from '../domain/workflow/run.ts';
import { isObject } from '../domain/workflow/violation.ts';
import type { StepReport } from './port.ts';
import type { Payloads } from './port-books.ts';

type Request = Parameters<Payloads['location']>[0];

/** Where each type of payload is kept, as Conductor has it. */
const folders = {
  TASK_INPUT: 'task/input',
  TASK_OUTPUT: 'task/output',
  WORKFLOW_INPUT: 'workflow/input',
  WORKFLOW_OUTPUT: 'workflow/output',
} as const;

/** Longest payload, as in Conductor: 10,240 KB. */
const payloadMaxBytes = 10_485_760;
/** How long an address may be used. */
const expiresSeconds = 300;

export class PayloadBook implements Payloads {
  private readonly blobs: BlobStore | undefined;
  private readonly newId: () => string;

  /** @param parts.blobs undefined: payloads are not kept apart here */
  constructor(parts: { readonly blobs: BlobStore | undefined; readonly newId: () => string }) {
    this.blobs = parts.blobs;
    this.newId = parts.newId;
  }

  /**
   * Where to write or read a payload, with the path to name it by. To write without a path makes a new one.
   * @throws OPTION_INVALID for a path that leads outside; BLOB_UNAVAILABLE where there is no store that clients can reach
   */
  async location(request: Request): Promise<{ readonly uri: string; readonly path: string }> {
    const { operation, payloadType } = request;
    if (request.path === '' && operation === 'READ')
      throw invalidOption('path', request.path, 'the path of a payload, to read it');
    const path = request.path === '' ? `${folders[payloadType]}/${this.newId()}.json` : request.path;
    const uri = await this.store(givenPath(path)).location(path, operation, expiresSeconds);
    if (uri === undefined) {
      throw new LineshaftError('BLOB_UNAVAILABLE', {
        message: 'payloads are kept in a folder, which clients cannot reach; keep them in a bucket (s3://…)',
      });
    }
    return { uri, path };
  }

  /** The payload under a path, which a client has written. @throws BLOB_NOT_FOUND, BLOB_TOO_LARGE, PAYLOAD_INVALID */
  async read(path: string): Promise<JsonObject> {
    const bytes = await this.store(path).get(path, payloadMaxBytes);
    if (bytes === undefined) {
      throw new LineshaftError('BLOB_NOT_FOUND', {
        message: `there is no payload under '${path.slice(0, 200)}'; write it before it is used`,
        details: { path },
      });
    }
    const payload = parsed(bytes);
    if (isObject(payload)) return payload;
    throw new LineshaftError('PAYLOAD_INVALID', {
      message: `the payload under '${path}' is not a JSON object`,
      details: { path },
    });
  }

  /** A request to start a run, with the input that it names. @throws as `read` */
  async withInput(request: StartRequest): Promise<StartRequest> {
    const { externalInputPath, ...rest } = request;
    if (externalInputPath === undefined || externalInputPath === '') return request;
    return { ...rest, input: await this.read(givenPath(externalInputPath)) };
  }

  /** A report, with the output that it names. @throws as `read` */
  async withOutput(report: StepReport): Promise<StepReport> {
    const { externalOutputPath, ...rest } = report;
    if (externalOutputPath === undefined || externalOutputPath === '') return report;
    return { ...rest, output: await this.read(givenPath(externalOutputPath)) };
  }

  private store(path: string): BlobStore {
    if (this.blobs !== undefined) return this.blobs;
    throw new LineshaftError('BLOB_UNAVAILABLE', {
      message: `there is no store for large payloads such as '${path.slice(0, 200)}'; name one by LINESHAFT_BLOBS`,
    });
  }
}

/** Other blobs may be in the same store: only payloads are given away. */
function givenPath(path: string): string {
  if (Object.values(folders).some((folder) => path.startsWith(`${folder}/`))) return path;
  throw invalidOption('path', path, `a path under ${Object.values(folders).join(', ')}`);
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
