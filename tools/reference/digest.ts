/** Names the content of a file: part of the names of what was installed by it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 12);
}
