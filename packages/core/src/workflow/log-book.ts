/**
 * What workers log of steps: kept as bytes, given back as it came, bounded. Lines that come while a write is in flight go
 * together in the next one; who adds a line is answered when it is written.
 */

import { isUuid } from '../domain/uuid.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { StepLog } from './port.ts';

/** Lines that are kept of a step: the newest. */
export const logLinesMost = 1_000;
/** Bytes that are kept of a step, about: the newest lines. */
export const logBytesMost = 1_048_576;
/** Longer lines are cut. */
export const logLineBytesMost = 131_072;
/** Lines and bytes in one write. */
const batchLines = 2_000;
const batchBytes = 8 * 1_048_576;

interface Line {
  readonly stepId: string;
  readonly created: number;
  readonly bytes: Buffer;
  readonly written: () => void;
  readonly failed: (error: unknown) => void;
}

export class LogBook {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;
  private waiting: Line[] = [];
  private writing = false;

  constructor(parts: { readonly pool: Pool; readonly statements: BoundStatements }) {
    this.pool = parts.pool;
    this.statements = parts.statements;
  }

  /**
   * Keeps lines of a step, in their order; resolves when they are written. Those of a step that does not exist are dropped,
   * since a worker that reports late is not to blame. Of a step the newest 1,000 lines and about the newest MiB are kept; a line
   * longer than 128 KiB is cut.
   */
  async add(stepId: string, lines: readonly StepLog[]): Promise<void> {
    if (!isUuid(stepId)) return;
    // What would be dropped at once need not be sent.
    const kept = lines.slice(-logLinesMost);
    await Promise.all(
      kept.map(
        ({ log, createdTime }) =>
          new Promise<void>((written, failed) => {
            const created = Number.isFinite(createdTime) ? createdTime : 0;
            this.waiting.push({ stepId, created, bytes: bytesOf(log), written, failed });
            if (!this.writing) {
              this.writing = true;
              setImmediate(() => void this.drain());
            }
          }),
      ),
    );
  }

  /** The lines of a step that are kept, the oldest first by the times that they say; none of a step that does not exist. */
  async list(stepId: string): Promise<StepLog[]> {
    if (!isUuid(stepId)) return [];
    const rows = await this.pool.query<{ created: number; line: Buffer }>(this.statements.listLogs, [
      stepId,
      logLinesMost,
    ]);
    return rows.map(({ created, line }) => ({ log: line.toString('utf8'), createdTime: created }));
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.nextBatch();
      try {
        await this.pool.query(this.statements.addLogs, [
          batch.map(({ stepId }) => stepId),
          batch.map(({ created }) => created),
          batch.map(({ bytes }) => bytes),
          logLinesMost,
          logBytesMost,
        ]);
        for (const { written } of batch) written();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    this.writing = false;
  }

  private nextBatch(): Line[] {
    let size = 0;
    let count = 0;
    for (const { bytes } of this.waiting) {
      size += bytes.length;
      if (count > 0 && (count === batchLines || size > batchBytes)) break;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }
}

function bytesOf(log: string): Buffer {
  const bytes = Buffer.from(log, 'utf8');
  if (bytes.length <= logLineBytesMost) return bytes;
  let end = logLineBytesMost;
  // Not within a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
