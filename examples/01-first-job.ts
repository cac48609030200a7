/** A job and the worker that does it, in one program. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();

lineshaft.handle('greet', ({ name }: { name: string }) => `Hello ${name}`);
await lineshaft.worker().start();

const { id } = await lineshaft.enqueue('greet', { name: 'Ada' });
const [job] = await lineshaft.waitFor([id]);
console.log(job?.output);

await lineshaft.close();
await database.release();

/* Prints:
Hello Ada
*/
