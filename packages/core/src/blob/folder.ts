/** Blobs as files of a folder: for one machine, or a folder that all machines share. */

import { randomUUID } from 'node:crypto';
import { mkdir, open, opendir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { LineshaftError } from '../domain/errors.ts';
import { type BlobStore, checkedPath } from './port.ts';
import { tooLarge } from './too-large.ts';

/** Files that are being written begin so; no path does, since it would have to be asked for by name. */
const unfinished = '.unfinished-';

export class FolderBlobs implements BlobStore {
  private readonly folder: string;

  /** @param folder is made when the first blob is written */
  constructor(folder: string) {
    this.folder = folder;
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    const file = this.fileOf(path);
    await attempt(path, async () => {
      await mkdir(dirname(file), { recursive: true });
      const draft = join(dirname(file), unfinished + randomUUID());
      try {
        const handle = await open(draft, 'wx', 0o600);
        try {
          await handle.writeFile(bytes);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(draft, file);
        await syncFolder(dirname(file));
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    });
  }

  async get(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const file = this.fileOf(path);
    const size = await this.size(path);
    if (size !== undefined && size > maxBytes) throw tooLarge(path, size, maxBytes);
    return await attemptOnFile(path, () => readFile(file));
  }

  async size(path: string): Promise<number | undefined> {
    const file = this.fileOf(path);
    const facts = await attemptOnFile(path, () => stat(file));
    return facts?.isFile() === true ? facts.size : undefined;
  }

  async delete(path: string): Promise<void> {
    const file = this.fileOf(path);
    await attemptOnFile(path, () => rm(file, { force: true }));
  }

  async *list(prefix: string): AsyncIterable<string> {
    const folder = await attemptOnFile(prefix, () => opendir(this.folder, { recursive: true }));
    if (folder === undefined) return;
    for await (const entry of folder) {
      if (!entry.isFile() || entry.name.startsWith(unfinished)) continue;
      const path = relative(this.folder, join(entry.parentPath, entry.name)).split(sep).join('/');
      if (path.startsWith(prefix)) yield path;
    }
  }

  /** Others reach a folder only through a server. */
  async location(path: string): Promise<undefined> {
    checkedPath(path);
  }

  private fileOf(path: string): string {
    return join(this.folder, ...checkedPath(path).split('/'));
  }
}

async function attempt<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw new LineshaftError('BLOB_UNAVAILABLE', {
      message: `the blob '${path}' can't be reached in its folder: ${(error as Error).message}`,
      details: { path },
      cause: error,
    });
  }
}

/** The same; undefined where there is no such file or folder. */
async function attemptOnFile<Result>(path: string, work: () => Promise<Result>): Promise<Result | undefined> {
  return await attempt(path, async () => {
    try {
      return await work();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
      throw error;
    }
  });
}

/** The name of a new file is durable only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
