/**
 * The planted fault of the lab `workflows`: this server writes what it has decided about a run although others have changed
 * the run meanwhile. A lab that does not turn red with such a server proves nothing.
 */
import pg from 'pg';

const { query } = pg.Client.prototype;
const send = query as (...parts: unknown[]) => Promise<unknown>;
pg.Client.prototype.query = function (this: pg.Client, ...[first, ...rest]: unknown[]) {
  if (typeof first !== 'object' || first === null || !('name' in first) || first.name !== 'apply_runs')
    return send.call(this, first, ...rest);
  const { text } = first as { readonly name: unknown; readonly text?: unknown };
  const planted = String(text).replace('"lineshaft".apply_runs(', 'lab.apply_runs(');
  if (planted === text) throw new Error(`the planted fault does not fit this statement any more:\n${text}`);
  return send.call(this, { ...first, text: planted }, ...rest);
} as typeof query;
