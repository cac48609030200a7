/** Tells of what goes wrong beside the jobs: an outage is one line when it begins and one when it ends, whatever notices it. */

import { isLineshaftError } from '../domain/errors.ts';
import type { Log } from '../log.ts';

export class Troubles {
  private readonly log: Log;
  private readonly told = new Set<string>();

  constructor(log: Log) {
    this.log = log;
  }

  /** Something that runs in the background failed; it goes on trying. */
  begin(name: string, error: unknown): void {
    const key = isLineshaftError(error, 'DATABASE_UNAVAILABLE') ? 'database' : name;
    const first = !this.knows(key);
    this.told.add(`${key}:${name}`);
    if (!first) return;
    const message = error instanceof Error ? error.message : String(error);
    if (key === 'database') this.log.warn(`${message}; the worker goes on by itself when it is back`);
    else this.log.error(`${name}: ${message}`);
  }

  /** It works again. */
  end(name: string): void {
    const had = this.told.delete(`database:${name}`);
    this.told.delete(`${name}:${name}`);
    if (had && !this.knows('database')) this.log.info('the database is back');
  }

  private knows(key: string): boolean {
    for (const told of this.told) if (told.startsWith(`${key}:`)) return true;
    return false;
  }
}
