/**
 * Loaded before everything else in the processes of the lab `workflows` (`node --import`), servers of the product among
 * them: a process that was told so dies, by SIGKILL, exactly where it was told to: right before a statement is sent, right
 * after its answer has come, when a request has arrived, when an answer has been sent. Once, the next time it
 * gets there. It may tell the lab instead, which then kills the database.
 */
import { subscribe } from 'node:diagnostics_channel';
import { type IncomingMessage, ServerResponse } from 'node:http';
import pg from 'pg';
import type { Border } from '../workflows/borders.ts';
import { openRunLedger } from '../workflows/ledger.ts';
import type { Command, Reached } from './settings.ts';

type BorderCommand = Extract<Command, { command: 'border' }>;
/** By what is to happen there: who kills at borders and who kills the database ask for theirs beside each other. */
const wanted = new Map<BorderCommand['act'], Border>();
process.on('message', (command: Command) => {
  if (command.command !== 'border') return;
  if (command.at === undefined) wanted.delete(command.act);
  else wanted.set(command.act, command.at);
});
// Servers of the product know nothing of the lab: they write down when they do not get to run, and end with it, none the less.
const { LINESHAFT_LAB_FOLDER: folder, LINESHAFT_LAB_NAME: name } = process.env;
if (folder !== undefined && name !== undefined) openRunLedger(folder, name);
process.once('disconnect', () => process.exit(0));
// Hearing messages alone keeps no process alive.
process.channel?.unref();

/** The process is at this border now. */
export function reach(border: Border): void {
  if (wanted.get('die') === border) process.kill(process.pid, 'SIGKILL');
  if (wanted.get('tell') !== border) return;
  wanted.delete('tell');
  process.send?.({ reached: border } satisfies Reached);
}

function isWanted(border: string): boolean {
  return wanted.get('die') === border || wanted.get('tell') === border;
}

/** Statements by the borders that they are: what claims differ in is no matter. */
function statementOf(query: unknown): string | undefined {
  if (typeof query !== 'object' || query === null || !('name' in query)) return undefined;
  const name = String(query.name);
  return /^claim_(lane|lanes|each|left|keyed)$/.test(name) ? 'claim' : name;
}

const { query } = pg.Client.prototype;
const send = query as (...parts: unknown[]) => Promise<{ rows: unknown[][] }>;
pg.Client.prototype.query = function (this: pg.Client, ...parts: unknown[]) {
  const statement = wanted.size === 0 ? undefined : statementOf(parts[0]);
  if (statement === undefined) return send.apply(this, parts);
  reach(`before ${statement}` as Border);
  const answer = send.apply(this, parts);
  reach(`at ${statement}` as Border);
  if (!isWanted(`after ${statement}`)) return answer;
  return answer.then((result) => {
    if (!isEmptyClaim(statement, result.rows)) reach(`after ${statement}` as Border);
    return result;
  });
} as typeof query;

/** A claim that took nothing is no border. */
function isEmptyClaim(statement: string, rows: readonly unknown[][]): boolean {
  if (statement === 'claim') return rows.length === 0;
  // Rows without an id say that there may be more.
  return statement === 'claim_remote' && rows.every((row) => row[2] === null);
}

subscribe('http.server.request.start', (message) => {
  const { request } = message as { request: IncomingMessage };
  if (request.method === 'POST' && request.url === '/api/tasks') reach('update heard');
});
const { end } = ServerResponse.prototype;
const finish = end as (...parts: unknown[]) => ServerResponse;
ServerResponse.prototype.end = function (this: ServerResponse, ...parts: unknown[]) {
  const [body] = parts;
  // More than an empty list.
  if (this.req.url?.includes('/tasks/poll/') && typeof body === 'string' && body.length > 2) {
    this.once('finish', () => reach('poll answered'));
  }
  return finish.apply(this, parts);
} as typeof end;
