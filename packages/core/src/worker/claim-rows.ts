/** How the claim loop reads rows of the database, and writes arrays for it. */

import type { Amounts } from '../domain/amounts.ts';
import type { LiveWorker } from '../domain/serving.ts';
import { wantsFromColumn } from '../domain/wants.ts';
import type { Row } from '../store/session.ts';
import type { Lane } from './lanes.ts';

export function laneFromRow(row: Row): Lane {
  return {
    id: Number(row[0]),
    queueId: Number(row[1]),
    kind: row[2] ?? '',
    requirements: parseTextArray(row[3] ?? '{}'),
    pin: row[4] as Lane['pin'],
    build: row[5] ?? '',
    wants: wantsFromColumn(row[6]),
  };
}

export function workerFromRow(row: Row): LiveWorker {
  return {
    workerId: row[0] ?? '',
    build: row[1] ?? '',
    tags: parseTextArray(row[2] ?? '{}'),
    kinds: parseTextArray(row[3] ?? '{}'),
    queues: parseTextArray(row[4] ?? '{}'),
    offers: JSON.parse(row[5] ?? '{}') as Amounts,
  };
}

/** Reads a one-dimensional array literal of PostgreSQL. */
export function parseTextArray(literal: string): string[] {
  const items: string[] = [];
  const pattern = /"((?:[^"\\]|\\.)*)"|([^,{}]+)/g;
  for (const match of literal.matchAll(pattern)) {
    items.push(match[1] === undefined ? (match[2] ?? '') : match[1].replace(/\\(.)/g, '$1'));
  }
  return items;
}

export function pgArray(values: readonly number[]): string {
  return `{${values.join(',')}}`;
}
