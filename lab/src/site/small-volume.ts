/**
 * A small volume of its own for a database (a tmpfs, which only root may mount), that can be filled to the last byte
 * and given room again.
 */
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { serverUser } from '../../../packages/core/src/testing/server-binaries.ts';

export const sizeMiB = 256;
const block = Buffer.alloc(2 ** 20);

export class SmallVolume {
  readonly folder: string;

  /** Mounts it on an empty folder. @throws Error where we are not root */
  constructor(folder: string) {
    releaseLeftVolumes();
    mount('mount', '-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=700`, 'lineshaft-lab', folder);
    this.folder = folder;
    const { uid, gid } = serverUser();
    if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
    // Also when the lab ends in a hurry: before the folder is removed.
    process.prependOnceListener('exit', () => this.release());
  }

  /** Takes all the room that is left, besides what it has taken before. */
  fill(): void {
    const file = openSync(this.filler, 'a');
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  get freeBytes(): number {
    const { bsize, bavail } = statfsSync(this.folder);
    return Number(bsize) * Number(bavail);
  }

  makeRoom(): void {
    rmSync(this.filler, { force: true });
  }

  /** Unmounts it; who still has files open keeps them until he closes them. */
  release(): void {
    if (isMounted(this.folder)) spawnSync('umount', ['-l', this.folder]);
  }

  private get filler(): string {
    return join(this.folder, 'filler');
  }
}

/** Why there can be no small volume; undefined where there can. */
export function whyNoSmallVolume(): string | undefined {
  if (process.geteuid?.() !== 0) return 'it needs root: the volume is a tmpfs that has to be mounted';
  return existsSync('/proc/mounts') ? undefined : 'it needs Linux: the volume is a tmpfs';
}

/** Volumes of labs that were killed. */
function releaseLeftVolumes(): void {
  for (const [, folder = '', owner = ''] of mounts().matchAll(/^lineshaft-lab (\S+-(\d+)-\S+) /gm)) {
    if (!existsSync(`/proc/${owner}`)) spawnSync('umount', ['-l', folder]);
  }
}

function isMounted(folder: string): boolean {
  return mounts().includes(` ${folder} `);
}

function mounts(): string {
  return readFileSync('/proc/mounts', 'utf8');
}

function mount(program: string, ...parameters: string[]): void {
  const { status, stderr } = spawnSync(program, parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${parameters.join(' ')} failed: ${stderr.trim()}`);
}
