/** What runs in a child of the executor `process`. Started by `process-transport.ts`, and by nobody else. */

import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { Worker } from 'node:worker_threads';
import { ChildLoop } from './child-loop.ts';
import { ProcessTurnsChild } from './process-turns.ts';
import type { DownMessage } from './protocol.ts';
import { parseMessages } from './protocol.ts';

const downDescriptor = 3;
const upDescriptor = 4;
const turns = new ProcessTurnsChild(5, 6);

const loop = new ChildLoop({
  takeTurn: () => turns.take(),
  finishEmpty: (seq, tookUs) => turns.finish(seq, tookUs),
  send: (messages) => write(`${JSON.stringify(messages)}\n`),
  exit: () => process.exit(0),
});

/** Written at once and wholly: what the worker knows must not depend on how this process ends. */
function write(text: string): void {
  const written = writeSync(upDescriptor, text);
  if (written === Buffer.byteLength(text)) return;
  const bytes = Buffer.from(text);
  let from = written;
  while (from < bytes.length) from += writeSync(upDescriptor, bytes, from);
}

const decoder = new StringDecoder('utf8');
let partial = '';
const down = new Socket({ fd: downDescriptor, readable: true, writable: false });
down.on('data', (chunk: Buffer) => {
  const text = decoder.write(chunk);
  const end = text.lastIndexOf('\n');
  if (end === -1) {
    partial += text;
    return;
  }
  const lines = partial + text.slice(0, end);
  partial = text.slice(end + 1);
  loop.receive(parseMessages<readonly DownMessage[]>(`[${lines.replaceAll('\n', ',')}]`).flat());
});

down.on('close', endGroup);

// The worker may be killed while a handler computes, when nothing is read here: a thread watches for that.
// The
// whole group ends, with what handlers have started.
const guard = `
const { Socket } = require('node:net');
const end = () => process.kill(-process.pid, 'SIGKILL');
new Socket({ fd: 7, readable: true, writable: false }).on('error', end).on('close', end).resume();
`;
new Worker(guard, {
  eval: true,
  execArgv: [],
  env: {},
  resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
}).unref();

function endGroup(): void {
  process.kill(-process.pid, 'SIGKILL');
}
