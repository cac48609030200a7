/**
 * The handler of the demo's jobs: audits one package. It is a module of its own, because threads load it. In a
 * thread it holds nobody up, so it reads files synchronously; now and then it looks whether it was cancelled.
 * The output is bounded: of the files only those that are worth comparing are named, the largest first.
 */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { JobContext } from '@lineshaft/core';
import { licenceOf } from './licence.ts';
import { inOrder } from './packages.ts';

export interface PackageToAudit {
  /** Absolute path of the folder `node_modules`. */
  readonly nodeModules: string;
  /** The package's folder in it. */
  readonly path: string;
}

/** SHA-256 in base64url, size in bytes, path in the package. */
export type ComparedFile = readonly [hash: string, bytes: number, path: string];

export interface PackageAudit {
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly files: number;
  readonly bytes: number;
  /** SHA-256 over the paths and hashes of all its files. */
  readonly digest: string;
  /** Files that may have copies elsewhere: those of at least `comparedFrom` bytes, largest first. */
  readonly compared: readonly ComparedFile[];
}

/** Copies of smaller files are not worth a line. */
export const comparedFrom = 4_096;
/** An output may have 1 MiB; paths are at most a few hundred characters. */
const comparedMaxCharacters = 700_000;

export default async function auditPackage(wanted: PackageToAudit, job: JobContext): Promise<PackageAudit> {
  const folder = join(wanted.nodeModules, wanted.path);
  const paths = filesOf(folder);
  const digest = createHash('sha256');
  const files: ComparedFile[] = [];
  for (const [number, path] of paths.entries()) {
    const { hash, bytes } = hashFile(join(folder, path));
    digest.update(`${path}\n${hash}\n`);
    files.push([hash, bytes, path]);
    if (number % 100 === 99) {
      job.progress(number + 1, paths.length);
      await setImmediate();
      job.signal.throwIfAborted();
    }
  }
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
  return {
    path: wanted.path,
    name: textOr(manifest['name'], wanted.path),
    version: textOr(manifest['version'], '-'),
    licence: licenceOf(folder, manifest, paths),
    files: files.length,
    bytes: files.reduce((sum, [, bytes]) => sum + bytes, 0),
    digest: digest.digest('base64url'),
    compared: worthComparing(files),
  };
}

/** All files of a package, sorted, without links, hidden folders, and the packages nested in it. */
function filesOf(folder: string, inside = ''): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(folder, inside), { withFileTypes: true })) {
    const path = join(inside, entry.name);
    if (entry.isFile()) found.push(path);
    else if (entry.isDirectory() && !entry.name.startsWith('.') && path !== 'node_modules') {
      found.push(...filesOf(folder, path));
    }
  }
  return found.sort(inOrder);
}

const buffer = Buffer.allocUnsafe(1024 * 1024);

function hashFile(path: string): { hash: string; bytes: number } {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    let bytes = 0;
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) {
      hash.update(buffer.subarray(0, read));
      bytes += read;
    }
    return { hash: hash.digest('base64url'), bytes };
  } finally {
    closeSync(file);
  }
}

function worthComparing(files: readonly ComparedFile[]): ComparedFile[] {
  const candidates = files.filter(([, bytes]) => bytes >= comparedFrom);
  candidates.sort(([, bytesA, pathA], [, bytesB, pathB]) => bytesB - bytesA || inOrder(pathA, pathB));
  let characters = 0;
  return candidates.filter((file) => {
    characters += JSON.stringify(file).length + 1;
    return characters <= comparedMaxCharacters;
  });
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}
