/** The report of the demo: made of all audits by the summary job. Pure, and the same for the same files. */

import type { PackageAudit } from './audit-package.ts';
import { inOrder } from './packages.ts';

export interface Report {
  readonly packages: number;
  readonly files: number;
  readonly bytes: number;
  readonly licences: readonly { readonly licence: string; readonly packages: number }[];
  readonly largest: readonly PackageLine[];
  readonly duplicates: {
    /** Files of 4 KiB or more that are there more than once. */
    readonly files: number;
    /** What their copies take beyond the first. */
    readonly wastedBytes: number;
    readonly largest: readonly DuplicateLine[];
  };
  readonly all: readonly PackageLine[];
}

export interface PackageLine {
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly files: number;
  readonly bytes: number;
  readonly digest: string;
}

export interface DuplicateLine {
  /** Where the first copy is, in `node_modules`. */
  readonly file: string;
  readonly copies: number;
  readonly bytes: number;
}

const shown = 10;

export function makeReport(audits: readonly PackageAudit[]): Report {
  const all = audits
    .map(({ compared: _, ...line }): PackageLine => line)
    .sort((a, b) => inOrder(a.path, b.path));
  const duplicates = duplicatesIn(audits);
  return {
    packages: all.length,
    files: sum(all.map((line) => line.files)),
    bytes: sum(all.map((line) => line.bytes)),
    licences: licencesOf(all),
    largest: [...all].sort((a, b) => b.bytes - a.bytes || inOrder(a.path, b.path)).slice(0, shown),
    duplicates: {
      files: duplicates.length,
      wastedBytes: sum(duplicates.map(wasted)),
      largest: duplicates.slice(0, shown),
    },
    all,
  };
}

function licencesOf(lines: readonly PackageLine[]): Report['licences'] {
  const counts = new Map<string, number>();
  for (const { licence } of lines) counts.set(licence, (counts.get(licence) ?? 0) + 1);
  return [...counts]
    .map(([licence, packages]) => ({ licence, packages }))
    .sort((a, b) => b.packages - a.packages || inOrder(a.licence, b.licence));
}

function duplicatesIn(audits: readonly PackageAudit[]): DuplicateLine[] {
  const places = new Map<string, { files: string[]; bytes: number }>();
  for (const { path, compared } of audits) {
    for (const [hash, bytes, file] of compared) {
      const known = places.get(hash);
      if (known === undefined) places.set(hash, { files: [`${path}/${file}`], bytes });
      else known.files.push(`${path}/${file}`);
    }
  }
  return [...places.values()]
    .filter(({ files }) => files.length > 1)
    .map(({ files, bytes }) => ({ file: files.sort(inOrder)[0] ?? '', copies: files.length, bytes }))
    .sort((a, b) => wasted(b) - wasted(a) || inOrder(a.file, b.file));
}

/** What the copies of a file take beyond the first. */
export function wasted(line: DuplicateLine): number {
  return (line.copies - 1) * line.bytes;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
