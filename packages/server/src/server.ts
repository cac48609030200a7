/** The HTTP server: puts routes, limits and access together, listens, and stops without cutting anybody off. */

import type { AddressInfo } from 'node:net';
import { LineshaftError, silentLog } from '@lineshaft/core';
import { conductor } from './dialects/conductor/dialect.ts';
import { type App, createApp } from './http/app.ts';
import { addHealth } from './http/health.ts';
import { type CheckedOptions, checkServerOptions, type ServerOptions } from './options.ts';

/** How long a stop waits for requests that are being answered. */
const stopTimeoutMs = 30_000;

/**
 * Makes a server; it does nothing before `listen`. Any number of them may serve one database.
 *
 * @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN
 * @example
 * const server = createServer({ lineshaft, workflows: lineshaft.workflows, port: 0 });
 * const { url } = await server.listen();
 * await server.stop();
 */
export function createServer(options: ServerOptions): Server {
  return new Server(checkServerOptions(options));
}

export class Server {
  private readonly options: CheckedOptions;
  private readonly app: App;
  private address: AddressInfo | undefined;
  private stopping: Promise<void> | undefined;

  /** Made by `createServer`. */
  constructor(options: CheckedOptions) {
    this.options = options;
    const dialects = [conductor];
    const { log = silentLog, bodyMaxBytes, requestTimeoutMs, lineshaft, workflows } = options;
    this.app = createApp({ log, dialects, bodyMaxBytes, requestTimeoutMs });
    const { fastify } = this.app;
    addHealth(fastify, { lineshaft, stopping: () => this.stopping !== undefined });
    for (const { routes } of dialects) fastify.register(routes, { workflows });
  }

  /** Where it listens, such as `http://127.0.0.1:8080`; undefined before it does. */
  get url(): string | undefined {
    if (this.address === undefined) return undefined;
    const { address, family, port } = this.address;
    const host = family === 'IPv6' ? `[${address}]` : address;
    return `http://${host}:${port}`;
  }

  /** Begins to serve. @throws LineshaftError ADDRESS_UNAVAILABLE */
  async listen(): Promise<{ readonly url: string; readonly port: number }> {
    const { host, port } = this.options;
    const { fastify } = this.app;
    try {
      await fastify.listen({ host, port, listenTextResolver: () => '' });
    } catch (error) {
      throw addressError(error, host, port);
    }
    const address = fastify.server.address() as AddressInfo;
    this.address = address;
    return { url: this.url ?? '', port: address.port };
  }

  /**
   * Stops taking connections, answers what waits at once, and resolves when everything that was asked is answered, or
   * after 30 s. Harmless when called again.
   */
  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  /** Ends at once: requests that are being answered are cut. */
  stopNow(): Promise<void> {
    const stopped = this.stop();
    this.app.fastify.server.closeAllConnections();
    return stopped;
  }

  private async end(): Promise<void> {
    const { fastify, lifetimes } = this.app;
    lifetimes.stop();
    const timer = setTimeout(() => fastify.server.closeAllConnections(), stopTimeoutMs);
    try {
      await fastify.close();
    } finally {
      clearTimeout(timer);
    }
  }
}

function addressError(error: unknown, host: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const why = {
    EADDRINUSE: 'is taken by another program: choose another --port, or 0 for any',
    EACCES: 'may not be listened on by this user: choose a port of at least 1024',
    EADDRNOTAVAIL: 'is no address of this machine: choose another --host',
    ENOTFOUND: 'is no known host: choose another --host',
  }[code ?? ''];
  if (why === undefined) return error;
  return new LineshaftError('ADDRESS_UNAVAILABLE', {
    message: `${host}:${port} ${why}`,
    details: { host, port },
    cause: error,
  });
}
