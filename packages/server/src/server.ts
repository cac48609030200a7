/** The HTTP server: puts routes, limits and access together, listens, and stops without cutting anybody off. */

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { LineshaftError, silentLog } from '@lineshaft/core';
import { Gate } from './access/gate.ts';
import { addGuard, admitAtOnce } from './access/guard.ts';
import { isLoopback } from './access/loopback.ts';
import { conductor } from './dialects/conductor/dialect.ts';
import { type App, createApp } from './http/app.ts';
import { addHealth } from './http/health.ts';
import { type OpenApiDocument, openApiDocument } from './http/openapi.ts';
import type { KnownRoute } from './http/route-table.ts';
import { HttpCounts } from './metrics/http-counts.ts';
import { addMetrics } from './metrics/metrics-route.ts';
import { PollCounts } from './metrics/poll-counts.ts';
import { type CheckedOptions, checkServerOptions, type ServerOptions } from './options.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
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
  private gate: Gate | undefined;
  private stopping: Promise<void> | undefined;

  /** Made by `createServer`. */
  constructor(options: CheckedOptions) {
    this.options = options;
    const dialects = [conductor];
    const { log = silentLog, bodyMaxBytes, requestTimeoutMs, lineshaft, worker } = options;
    this.app = createApp({ log, dialects, bodyMaxBytes, requestTimeoutMs });
    const { fastify } = this.app;
    const http = new HttpCounts(fastify);
    const polls = new PollCounts(options.workflows);
    addGuard(fastify, () => this.openGate());
    addHealth(fastify, { lineshaft, stopping: () => this.stopping !== undefined });
    addMetrics(fastify, { http, polls, statements: () => lineshaft.statementCounts(), worker });
    this.addDocument();
    const { workflows } = polls;
    for (const { routes } of dialects) fastify.register(routes, { workflows });
    this.app.shortWay.open(
      dialects.flatMap(({ shortRoutes }) => shortRoutes?.({ workflows }) ?? []),
      { counts: http, admit: (headers, asked) => admitAtOnce(this.openGate(), headers, asked) },
    );
  }

  /** Where it listens, such as `http://127.0.0.1:8080`; undefined before it does. */
  get url(): string | undefined {
    if (this.address === undefined) return undefined;
    const { address, family, port } = this.address;
    const host = family === 'IPv6' ? `[${address}]` : address;
    return `http://${host}:${port}`;
  }

  /** All routes, with their schemas and settings. */
  routes(): readonly KnownRoute[] {
    return this.app.routes.list();
  }

  /** The OpenAPI document of all routes; what `/api-docs` answers. */
  async openApi(): Promise<OpenApiDocument> {
    await this.app.fastify.ready();
    return openApiDocument(this.routes(), version);
  }

  /** Begins to serve. @throws LineshaftError ADDRESS_UNAVAILABLE, KEYS_MISSING, DATABASE_UNAVAILABLE, SCHEMA_MISSING */
  async listen(): Promise<{ readonly url: string; readonly port: number }> {
    const { host, port } = this.options;
    const { fastify } = this.app;
    const onLoopback = await isLoopback(host).catch((error: unknown) => {
      throw addressError(error, host, port);
    });
    if (!onLoopback) await this.demandKey(host);
    this.gate = new Gate({ keys: this.options.lineshaft.apiKeys, onLoopback, now: () => performance.now() });
    try {
      await fastify.listen({ host, port, listenTextResolver: () => '' });
    } catch (error) {
      throw addressError(error, host, port);
    }
    const address = fastify.server.address() as AddressInfo;
    this.address = address;
    return { url: this.url ?? '', port: address.port };
  }

  /** Whether callers must have a key: beyond this machine always, else as soon as there is one. */
  demandsKey(): Promise<boolean> {
    return this.openGate().demandsKey();
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
      this.gate?.close();
    }
  }

  private addDocument(): void {
    const schema = {
      summary: 'This document',
      tags: ['health'],
      response: { 200: { description: 'OpenAPI 3.1', type: 'object' } },
    };
    let text: string | undefined;
    this.app.fastify.get('/api-docs', { schema }, async (_request, reply) => {
      text ??= JSON.stringify(await this.openApi());
      return reply.type('application/json; charset=utf-8').send(text);
    });
  }

  private openGate(): Gate {
    if (this.gate !== undefined) return this.gate;
    throw new LineshaftError('CLOSED', { message: 'the server does not listen yet' });
  }

  private async demandKey(host: string): Promise<void> {
    const { lineshaft } = this.options;
    await lineshaft.demandSchema();
    if (await lineshaft.apiKeys.any()) return;
    throw new LineshaftError('KEYS_MISSING', {
      message:
        `${host} can be reached by other machines, and there is no API key: make one with lineshaft token create, ` +
        'or listen on 127.0.0.1',
      details: { host },
    });
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
