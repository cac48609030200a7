/** What the tests of the server share: an installation with a server that listens, and raw connections to it. */

import { connect, type Socket } from 'node:net';
import { createServer, type Server, type ServerOptions } from '../../packages/server/src/index.ts';
import { openSite, type Site } from '../worker/site.ts';

export interface HttpSite {
  readonly site: Site;
  readonly server: Server;
  readonly url: string;
  readonly port: number;
  /** Another server on the same database; stopped with the site. */
  other(options?: Partial<ServerOptions>): Promise<{ server: Server; url: string; port: number }>;
  close(): Promise<void>;
}

export async function openHttpSite(options: Partial<ServerOptions> = {}): Promise<HttpSite> {
  const site = await openSite(18);
  const servers: Server[] = [];
  const other: HttpSite['other'] = async (more = {}) => {
    const server = createServer({
      lineshaft: site.lineshaft,
      workflows: site.lineshaft.workflows as unknown as ServerOptions['workflows'],
      log: site.log,
      port: 0,
      ...options,
      ...more,
    });
    servers.push(server);
    return { server, ...(await server.listen()) };
  };
  const first = await other();
  return {
    site,
    ...first,
    other,
    async close() {
      await Promise.all(servers.map((server) => server.stop()));
      await site.close();
    },
  };
}

/** Sends bytes as they are, and resolves with all that comes back when the server closes the connection. */
export async function raw(port: number, ...parts: (string | Uint8Array)[]): Promise<string> {
  const socket = await dial(port);
  for (const part of parts) socket.write(part);
  return await everything(socket);
}

export async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

export function everything(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return new Promise((resolve) => {
    socket.once('error', () => resolve(text));
    socket.once('close', () => resolve(text));
  });
}
