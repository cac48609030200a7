/** What runs in a thread of the executor `thread`. Started by `thread-transport.ts`, and by nobody else. */

import { parentPort, workerData } from 'node:worker_threads';
import { ChildLoop } from './child-loop.ts';
import type { DownMessage } from './protocol.ts';
import { parseMessages } from './protocol.ts';
import { type SharedTurns, ThreadTurns } from './thread-turns.ts';

const port = parentPort;
if (port === null) throw new Error('this module is the entry of a thread');

const turns = new ThreadTurns(workerData as SharedTurns);

const loop = new ChildLoop({
  takeTurn: (seq, now) => turns.take(seq, now),
  finishEmpty: (seq, tookUs) => turns.finish(seq, tookUs),
  send: (messages) => port.postMessage(JSON.stringify(messages)),
  exit: () => process.exit(0),
});

port.on('message', (text: string) => loop.receive(parseMessages<DownMessage>(text)));
