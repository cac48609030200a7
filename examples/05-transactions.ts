/** A job in the transaction of the caller: there with the order, or not at all. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { fromPg } from '@lineshaft/core/pg';
import { Client } from 'pg';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();
lineshaft.handle('confirm-order', ({ order }: { order: number }) => `order ${order} confirmed`);
await lineshaft.worker().start();

const client = new Client({ connectionString: database.url });
await client.connect();
await client.query('create table if not exists example_order (id integer primary key)');
await client.query('truncate example_order');

/** Writes the order and enqueues its confirmation; both are undone if anything fails. */
async function placeOrder(order: number): Promise<string> {
  await client.query('begin');
  try {
    await client.query('insert into example_order values ($1)', [order]);
    const { id } = await lineshaft.within(fromPg(client)).enqueue('confirm-order', { order });
    if (order === 13) throw new Error('out of stock');
    await client.query('commit');
    return id;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

const [job] = await lineshaft.waitFor([await placeOrder(12)]);
console.log(job?.output);
await placeOrder(13).catch((error: Error) => console.log(`order 13: ${error.message}`));

// The same from SQL, whatever the language of the program.
const { rows } = await client.query(`select * from lineshaft.enqueue('confirm-order', '{"order": 14}')`);
const [fromSql] = await lineshaft.waitFor([rows[0].id]);
console.log(fromSql?.output);
const { rows: orders } = await client.query('select id from example_order');
console.log(`orders: ${orders.map(({ id }) => id)}`);

await client.end();
await lineshaft.close();
await database.release();

/* Prints:
order 12 confirmed
order 13: out of stock
order 14 confirmed
orders: 12
*/
