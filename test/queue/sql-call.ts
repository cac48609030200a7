/** Calls `lineshaft.enqueue` as a caller in SQL does. */

import type { DatabaseError } from 'pg';
import type { Site } from '../worker/site.ts';

export interface Answer {
  readonly id: string;
  readonly result: 'new' | 'kept' | 'replaced';
}

export type SqlCall = [kind: string | null, payload?: unknown, options?: unknown];

/** Payload and options are given as JSON; what is undefined is left out. */
export async function enqueueInSql(site: Site, ...[kind, ...rest]: SqlCall): Promise<Answer> {
  const given = rest.filter((value) => value !== undefined);
  const values = [kind, ...given.map((value) => (value === null ? null : JSON.stringify(value)))];
  const marks = values.map((_, place) => `$${place + 1}`).join(', ');
  const [answer] = await site.rows<Answer>(`select * from lineshaft.enqueue(${marks})`, values);
  if (answer === undefined) throw new TypeError('one job has one answer');
  return answer;
}

/** What the database throws. */
export async function refusalInSql(site: Site, ...of: SqlCall): Promise<DatabaseError> {
  return await enqueueInSql(site, ...of).then(
    (answer) => {
      throw new TypeError(`was accepted: ${JSON.stringify(answer)}`);
    },
    (error: DatabaseError) => error,
  );
}
