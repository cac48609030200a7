/**
 * A proxy before the database that goes silent: the connections stay open, and nothing comes through in either
 * direction, as behind a router that has lost its power. Then all of them are reset.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class SilentProxy implements AsyncDisposable {
  /** The address of the database through the proxy. */
  readonly url: string;
  private readonly server: Server;
  private readonly sockets: Set<Socket>;
  private readonly state: { silent: boolean };

  private constructor(url: string, server: Server, sockets: Set<Socket>, state: { silent: boolean }) {
    this.url = url;
    this.server = server;
    this.sockets = sockets;
    this.state = state;
  }

  static async start(databaseUrl: string): Promise<SilentProxy> {
    const target = new URL(databaseUrl);
    const sockets = new Set<Socket>();
    const state = { silent: false };
    const server = createServer((client) => {
      const upstream = connect(Number(target.port), target.hostname);
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from);
        from.setNoDelay();
        from.on('data', (bytes) => {
          if (!state.silent) to.write(bytes);
        });
        from.on('error', () => {});
        from.on('close', () => {
          sockets.delete(from);
          if (!state.silent) to.destroy();
        });
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
    const url = new URL(databaseUrl);
    url.port = String(address.port);
    return new SilentProxy(url.href, server, sockets, state);
  }

  /** From now on everything that is sent is swallowed. */
  goSilent(): void {
    this.state.silent = true;
  }

  /** Resets all connections; new ones work. */
  reset(): void {
    this.state.silent = false;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    if (this.server.listening) await once(this.server, 'close');
  }
}
