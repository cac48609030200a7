/**
 * Which user the server runs as. PostgreSQL refuses to run as root, so a root process hands it to somebody
 * else; an ordinary user runs it as itself. Decides only; changes nothing.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { EmbeddedError, useAnotherDatabase } from './errors.ts';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** Whether this process is root and so must give the server to another user. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The user to run the server as, or undefined for "as ourselves".
 *
 * As root: the owner of the data if there are any, else the owner of the folder (so that `sudo` in somebody's
 * project leaves nothing there that its owner cannot use), else `nobody`. Not `postgres`: that one may own a
 * production server on the same machine.
 */
export function serverIdentity(directory: string, dataDirectory: string): Identity | undefined {
  if (!isRoot()) return undefined;
  const dataOwner = statSync(dataDirectory, { throwIfNoEntry: false });
  if (dataOwner !== undefined && dataOwner.uid !== 0) return { uid: dataOwner.uid, gid: dataOwner.gid };
  const users = readUsers();
  const owner = users.find((user) => user.uid === statSync(directory).uid && user.uid !== 0);
  const chosen =
    owner ?? users.find((user) => user.name === 'nobody') ?? users.find((user) => user.uid === 65534);
  if (chosen === undefined) {
    throw new EmbeddedError('EMBEDDED_UNAVAILABLE', {
      message:
        'PostgreSQL does not run as root, and this system has no user "nobody" to run it as; ' +
        `start the command as an ordinary user, or ${useAnotherDatabase}`,
    });
  }
  return { uid: chosen.uid, gid: chosen.gid };
}

/**
 * Whether a user can enter a folder, going by the permission bits of it and of all folders above it. Access
 * lists are not looked at; who is wrongly refused here gets a data directory elsewhere, which does no harm.
 */
export function canEnter(folder: string, identity: Identity): boolean {
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid, gid } = statSync(path);
    const bit = uid === identity.uid ? 0o100 : gid === identity.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

// initdb looks its user up by name, so only users that exist there are of use.
function readUsers(): { name: string; uid: number; gid: number }[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}
