/**
 * The program of the keeper process: takes the folder's lock or waits for it, then keeps the server
 * (keeper.ts). Started by embedded.ts with a `KeeperRequest` as its argument and a channel to its parent,
 * on which it says why it could not begin. It gives up waiting when the parent goes, or no longer needs it
 * because another keeper was quicker.
 */
import * as fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { locateBinaries, prepareBinaries } from './binaries.ts';
import type { KeeperRequest } from './control.ts';
import { layoutOf, makeHome } from './data-directory.ts';
import { errorData } from './errors.ts';
import { type FileLock, tryLock } from './file-lock.ts';
import { type Identity, serverIdentity } from './identity.ts';
import { Keeper } from './keeper.ts';
import { writeLog } from './log-file.ts';

const lockRetryMs = 10;

async function main(request: KeeperRequest): Promise<void> {
  const layout = layoutOf(request.directory);
  const identity = serverIdentity(request.directory, layout.data);
  const binaries = prepareBinaries(locateBinaries(), identity);
  const serverUser = becomeOwner(request.directory, layout.home, identity) ? undefined : identity;
  makeHome(layout, serverUser);
  const lock = await takeLock(layout.lock);
  if (lock === undefined) return;
  // The pointer is read again: the holder before us may have placed the data.
  const keeper = new Keeper({ request, layout: layoutOf(request.directory), binaries, identity: serverUser });
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => void keeper.shutDown());
  process.on('uncaughtException', (error) => {
    writeLog(layout.log, `the keeper failed: ${error.stack}`);
    void keeper.shutDown().finally(() => process.exit(1));
  });
  try {
    await keeper.run();
  } finally {
    lock.release();
  }
}

/**
 * As root in a folder of somebody else, we become that user for good, so that all files are theirs. Not
 * where an earlier run as root left a `.lineshaft` that they can't write to.
 */
function becomeOwner(directory: string, home: string, identity: Identity | undefined): boolean {
  if (identity === undefined || fs.statSync(directory).uid !== identity.uid) return false;
  const existing = fs.statSync(home, { throwIfNoEntry: false });
  if (existing !== undefined && existing.uid !== identity.uid) return false;
  process.setgroups?.([identity.gid]);
  process.setgid?.(identity.gid);
  process.setuid?.(identity.uid);
  return true;
}

async function takeLock(path: string): Promise<FileLock | undefined> {
  while (process.connected) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    await delay(lockRetryMs);
  }
  return undefined;
}

async function reportAndEnd(error: unknown): Promise<void> {
  process.exitCode = 1;
  if (process.send === undefined || !process.connected) return;
  await new Promise<void>((resolve) => process.send?.({ failed: errorData(error) }, () => resolve()));
}

await main(JSON.parse(process.argv[2] ?? '') as KeeperRequest).catch(reportAndEnd);
if (process.connected) process.disconnect();
// Connections end when their users close them, which they do at once unless they hang.
setTimeout(() => process.exit(), 1000).unref();
