/** A proxy that loses the answer to one statement: what is sent arrives, what comes back does not. */

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface LossyProxy extends AsyncDisposable {
  /** The address of the database through the proxy. */
  readonly url: string;
  /** The next connection that sends this text gets no answer any more; resolves when it was sent. */
  loseAnswerTo(text: string): Promise<void>;
  /** Cuts the connection whose answers are lost. */
  cut(): void;
}

export async function startLossyProxy(databaseUrl: string): Promise<LossyProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let wanted: { text: string; sent: () => void } | undefined;
  let mute: Socket | undefined;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('data', (data) => {
      if (wanted !== undefined && data.includes(wanted.text)) {
        mute = client;
        wanted.sent();
        wanted = undefined;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (mute !== client) client.write(data);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  const url = new URL(databaseUrl);
  url.port = String(address.port);
  return {
    url: url.href,
    loseAnswerTo(text) {
      return new Promise((sent) => {
        wanted = { text, sent };
      });
    },
    cut: () => mute?.destroy(),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
