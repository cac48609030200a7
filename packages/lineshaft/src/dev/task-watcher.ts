/**
 * Watches a folder of tasks. What the system tells is only a reason to look: a change is what differs from
 * the last look, so that touched, saved twice or replaced files count once.
 */

import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const settleMs = 150;
const ignored = /^(?:\..*|.*~|node_modules|#.*#)$/;

export class TaskWatcher {
  private readonly directory: string;
  private seen: ReadonlyMap<string, string>;
  private watchers: FSWatcher[] = [];
  private settling: NodeJS.Timeout | undefined;
  private changed: ((files: string[]) => void) | undefined;
  private waiting: string[] = [];

  constructor(directory: string) {
    this.directory = directory;
    this.seen = snapshot(directory);
    this.watch();
  }

  /** The files that were added, changed or removed since the last call; resolves when there are any. */
  next(): Promise<string[]> {
    return new Promise((resolve) => {
      this.changed = resolve;
      this.tell();
    });
  }

  close(): void {
    clearTimeout(this.settling);
    for (const watcher of this.watchers) watcher.close();
    this.watchers = [];
  }

  /** Watches the folder, and the one above it: the folder may come, go, and be replaced. */
  private watch(): void {
    this.close();
    this.add(dirname(this.directory), false, (name) => name === basename(this.directory));
    this.add(this.directory, true, () => true);
  }

  private add(folder: string, recursive: boolean, concerns: (name: string) => boolean): void {
    try {
      const watcher = watch(folder, { recursive }, (_event, name) => {
        if (name !== null && !concerns(name)) return;
        clearTimeout(this.settling);
        this.settling = setTimeout(() => this.look(!recursive), settleMs);
      });
      // A folder that is removed ends its watch; the one above tells when it is back.
      watcher.on('error', () => watcher.close());
      this.watchers.push(watcher);
    } catch {
      // It is not there yet.
    }
  }

  private look(again: boolean): void {
    if (again) this.watch();
    const now = snapshot(this.directory);
    const names = new Set([...now.keys(), ...this.seen.keys()]);
    const changed = [...names].filter((name) => now.get(name) !== this.seen.get(name));
    this.seen = now;
    this.waiting.push(...changed);
    this.tell();
  }

  private tell(): void {
    if (this.changed === undefined || this.waiting.length === 0) return;
    const resolve = this.changed;
    this.changed = undefined;
    resolve([...new Set(this.waiting.splice(0))].sort());
  }
}

/** Size and time of change of all files in a folder, by path. */
function snapshot(directory: string): Map<string, string> {
  const files = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (ignored.test(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else {
        const found = statSync(path, { throwIfNoEntry: false });
        if (found?.isFile()) files.set(path, `${found.mtimeMs}:${found.size}:${found.ino}`);
      }
    }
  };
  try {
    visit(directory);
  } catch {
    // It is not there, or goes while it is looked at: another look follows.
  }
  return files;
}
