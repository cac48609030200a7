/** Kinds with types and a schema: a wrong payload is refused before it is written, and upgraded when it is old. */

import { defineKinds, isLineshaftError, Lineshaft, silentLog } from '@lineshaft/core';
import { z } from 'zod';
import { openDatabase } from './database.ts';

const database = await openDatabase();

// What the first version of the program sent: an address and nothing else.
const earlier = new Lineshaft({ databaseUrl: database.url, build: '1.0.0' });
await earlier.migrate();
const old = await earlier.enqueue('send-email', 'grace@example.org');
await earlier.close();

interface Email {
  to: string;
  subject: string;
}
const kinds = defineKinds<{ 'send-email': Email }>({
  'send-email': {
    schema: z.object({ to: z.email(), subject: z.string().max(200) }),
    version: 2,
    upgrade: (_from, payload) => ({ to: String(payload), subject: 'Hello' }),
  },
});
const lineshaft = new Lineshaft({ databaseUrl: database.url, kinds, build: '2.0.0', log: silentLog });
lineshaft.handle('send-email', ({ to, subject }) => `${subject} to ${to}`);
await lineshaft.worker().start();

try {
  await lineshaft.enqueue('send-email', { to: 'ada', subject: 'Hi' });
} catch (error) {
  if (!isLineshaftError(error, 'PAYLOAD_INVALID')) throw error;
  console.log(error.message);
}

const fresh = await lineshaft.enqueue('send-email', { to: 'ada@example.org', subject: 'Hi' });
for (const job of await lineshaft.waitFor([old.id, fresh.id])) console.log(job.output);

await lineshaft.close();
await database.release();

/* Prints:
payload of kind 'send-email' does not fit its schema: payload.to: Invalid email address
Hello to grace@example.org
Hi to ada@example.org
*/
