/**
 * The turns of a child process, and its short results, in files that both sides hold open and that have no
 * name. What `thread-turns.ts` does with shared memory is done here with what the kernel does at once:
 *
 * - Turns are a file of holes with one offset for both sides, which moves with each read. To read a byte is
 *   to take a turn; to make the file longer is to give turns; what the worker reads is taken back. POSIX
 *   makes the read and the move of the offset one step (XSH 2.9.7), so exactly one side gets each turn.
 * - Results of attempts that succeeded without output are records of 8 bytes in a ring: number of the attempt
 *   (modulo 2³²) and microseconds. They cost less than a message, and outlive the child.
 */

import { randomUUID } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ringSize } from './thread-turns.ts';

const recordBytes = 8;
const seqModulus = 2 ** 32;

/** The side of the worker. */
export class ProcessTurns {
  readonly turnsDescriptor = openUnnamed();
  readonly finishedDescriptor = openUnnamed();
  readonly #ring = Buffer.alloc(ringSize * recordBytes);
  #given = 0;

  grant(count: number): void {
    this.#given += count;
    ftruncateSync(this.turnsDescriptor, this.#given);
  }

  takeBack(count: number): number {
    return readSync(this.turnsDescriptor, Buffer.allocUnsafe(count), 0, count, null);
  }

  /** Reads what has finished since the last time, for `finishedUs`. */
  refresh(): void {
    readSync(this.finishedDescriptor, this.#ring, 0, this.#ring.length, 0);
  }

  finishedUs(seq: number): number {
    const at = (seq % ringSize) * recordBytes;
    return this.#ring.readUInt32LE(at) === seq % seqModulus ? this.#ring.readUInt32LE(at + 4) : -1;
  }

  close(): void {
    closeSync(this.turnsDescriptor);
    closeSync(this.finishedDescriptor);
  }
}

/** The side of the child. */
export class ProcessTurnsChild {
  readonly #turnsDescriptor: number;
  readonly #finishedDescriptor: number;
  readonly #byte = Buffer.alloc(1);
  readonly #record = Buffer.alloc(recordBytes);

  constructor(turnsDescriptor: number, finishedDescriptor: number) {
    this.#turnsDescriptor = turnsDescriptor;
    this.#finishedDescriptor = finishedDescriptor;
  }

  take(): boolean {
    return readSync(this.#turnsDescriptor, this.#byte, 0, 1, null) === 1;
  }

  finish(seq: number, tookUs: number): void {
    this.#record.writeUInt32LE(seq % seqModulus, 0);
    this.#record.writeUInt32LE(tookUs, 4);
    writeSync(this.#finishedDescriptor, this.#record, 0, recordBytes, (seq % ringSize) * recordBytes);
  }
}

function openUnnamed(): number {
  const path = join(folder(), `lineshaft-${randomUUID()}`);
  const descriptor = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return descriptor;
}

/** Memory rather than a disk, where there is such a folder. */
function folder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK | constants.X_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}
