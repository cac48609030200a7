/**
 * Payloads that are kept apart from the database: where clients write and read them, and what is in them. A store that
 * clients can't reach themselves, a folder, is reached through a server: by tickets, which hold for one payload and a while.
 */

import { createHash, randomBytes } from 'node:crypto';
import type { BlobStore } from '../blob/port.ts';
import { invalidOption, LineshaftError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import type { StartRequest } from '../domain/workflow/run.ts';
import { isObject } from '../domain/workflow/violation.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import { payloadFolders } from './kept-apart.ts';
import type { StepReport } from './port.ts';
import type { Payloads } from './port-books.ts';

type Request = Parameters<Payloads['location']>[0];

/** Where each type of payload is kept. */
const folders = {
  TASK_INPUT: payloadFolders.stepInput,
  TASK_OUTPUT: payloadFolders.stepOutput,
  WORKFLOW_INPUT: payloadFolders.runInput,
  WORKFLOW_OUTPUT: payloadFolders.runOutput,
} as const;

/** Longest payload unless it is said otherwise, as in Conductor: 10,240 KB. */
const payloadMaxBytes = 10_485_760;
/** Payloads that are pruned in one go. */
const prunedMost = 100;
/** How long an address may be used. */
const expiresSeconds = 300;

export class PayloadBook implements Payloads {
  private readonly blobs: BlobStore | undefined;
  private readonly newId: () => string;
  private readonly maxBytes: number;
  private readonly database: { readonly pool: Pool; readonly statements: BoundStatements } | undefined;

  /**
   * @param parts.blobs undefined: payloads are not kept apart here
   * @param parts.maxBytes longest payload; default 10 MiB
   * @param parts.database where tickets are, and what was written; absent: no tickets are given
   */
  constructor(parts: {
    readonly blobs: BlobStore | undefined;
    readonly newId: () => string;
    readonly maxBytes?: number;
    readonly database?: { readonly pool: Pool; readonly statements: BoundStatements };
  }) {
    this.blobs = parts.blobs;
    this.newId = parts.newId;
    this.maxBytes = parts.maxBytes ?? payloadMaxBytes;
    this.database = parts.database;
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
    const direct = await this.store(givenPath(path)).location(path, operation, expiresSeconds);
    const uri = direct ?? (await this.throughServer(path, operation, request.through));
    // A run that reads it copies what it needs: what is written here is forgotten after a while.
    if (operation === 'WRITE')
      await this.database?.pool.query(this.database.statements.keepPayloads, [[path], [null]]);
    return { uri, path };
  }

  /** What a ticket is for, as it is. @throws TICKET_INVALID, BLOB_NOT_FOUND, BLOB_TOO_LARGE, BLOB_UNAVAILABLE */
  async readBy(ticket: string): Promise<Uint8Array> {
    const path = await this.pathOf(ticket, 'READ');
    const bytes = await this.store(path).get(path, this.maxBytes);
    if (bytes === undefined) throw notFound(path);
    return bytes;
  }

  /** Writes what a ticket is for. @throws TICKET_INVALID, PAYLOAD_TOO_LARGE, BLOB_UNAVAILABLE */
  async writeBy(ticket: string, text: string): Promise<void> {
    const path = await this.pathOf(ticket, 'WRITE');
    const bytes = Buffer.from(text);
    if (bytes.length > this.maxBytes) {
      throw new LineshaftError('PAYLOAD_TOO_LARGE', {
        message: `the payload has ${bytes.length} bytes; at most ${this.maxBytes} are taken`,
        details: { bytes: bytes.length, maxBytes: this.maxBytes },
      });
    }
    await this.store(path).put(path, bytes);
  }

  /** Deletes payloads whose runs are gone, and tickets that are over. @returns how many payloads */
  async prune(signal: AbortSignal): Promise<number> {
    const { blobs, database } = this;
    let deleted = 0;
    while (blobs !== undefined && database !== undefined && !signal.aborted) {
      const { pool, statements } = database;
      const rows = await pool.query<{ path: string }>(statements.orphanedPayloads, [prunedMost]);
      const paths = rows.map(({ path }) => path);
      for (const path of paths) await blobs.delete(path);
      await pool.query(statements.forgetPayloads, [paths]);
      deleted += paths.length;
      if (paths.length < prunedMost) break;
    }
    return deleted;
  }

  /** An address at a server, for a store that has none of its own. */
  private async throughServer(
    path: string,
    operation: Request['operation'],
    through: string | undefined,
  ): Promise<string> {
    const { database } = this;
    if (through === undefined || database === undefined) {
      throw new LineshaftError('BLOB_UNAVAILABLE', {
        message:
          'payloads are kept in a folder, which is reached through a server only; or keep them in a bucket (s3://…)',
      });
    }
    const ticket = randomBytes(24).toString('base64url');
    const values = [hashOf(ticket), path, operation, expiresSeconds];
    await database.pool.query(database.statements.makePayloadTicket, values);
    return `${through}/${ticket}`;
  }

  private async pathOf(ticket: string, operation: Request['operation']): Promise<string> {
    const { database } = this;
    const [row] =
      database === undefined
        ? []
        : await database.pool.query<{ path: string }>(database.statements.findPayloadTicket, [
            hashOf(ticket),
            operation,
          ]);
    if (row !== undefined) return row.path;
    throw new LineshaftError('TICKET_INVALID', {
      message: 'this address is none, or its time is over: ask for another (externalstoragelocation)',
    });
  }

  /** The payload under a path, which a client has written. @throws BLOB_NOT_FOUND, BLOB_TOO_LARGE, PAYLOAD_INVALID */
  async read(path: string): Promise<JsonObject> {
    const bytes = await this.store(path).get(path, this.maxBytes);
    if (bytes === undefined) throw notFound(path);
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

function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex');
}

function notFound(path: string): LineshaftError {
  return new LineshaftError('BLOB_NOT_FOUND', {
    message: `there is no payload under '${path.slice(0, 200)}'; write it before it is used`,
    details: { path },
  });
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
