/**
 * A proxy between a client and a server that keeps what was said. For a client of the Swift edition before a server
 * that speaks the other one only, it can translate the paths and words in which the editions differ.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Said {
  readonly method: string;
  /** With its query, without `/api`. */
  readonly path: string;
  readonly contentType: string;
  readonly accept: string;
  readonly body: string;
  readonly status: number;
  readonly type: string;
  readonly answer: string;
}

export interface Proxy {
  /** The address of the API, as `http://127.0.0.1:PORT/api`. */
  readonly url: string;
  /** In the order in which the answers were given. */
  readonly said: readonly Said[];
  close(): Promise<void>;
}

/** @param target the address of a server's API */
export async function openProxy(target: string, { swift = false } = {}): Promise<Proxy> {
  const said: Said[] = [];
  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing, { target: new URL(target), swift, said }).catch(() => outgoing.destroy());
  });
  // Clients keep their connections; they are closed with the proxy.
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/api`, said, close: () => close(server) };
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

interface Passing {
  readonly target: URL;
  readonly swift: boolean;
  readonly said: Said[];
}

async function pass(incoming: IncomingMessage, outgoing: ServerResponse, { target, swift, said }: Passing) {
  const body = await text(incoming);
  const { method = 'GET', url = '/' } = incoming;
  const path = url.replace(/^\/api/, '');
  const sent = swift ? body.replaceAll('"CUSTOM"', '"SIMPLE"') : body;
  const { 'transfer-encoding': _chunked, 'content-length': _size, ...asked } = incoming.headers;
  const size = sent === '' ? {} : { 'content-length': Buffer.byteLength(sent) };
  const passed = request({
    host: target.hostname,
    port: target.port,
    method,
    path: `${target.pathname}${swift ? fromSwift(path) : path}`,
    headers: { ...asked, host: target.host, 'accept-encoding': 'identity', ...size },
  });
  passed.end(sent);
  const [response] = (await once(passed, 'response')) as [IncomingMessage];
  const plain = await text(response);
  const answer = swift ? plain.replaceAll('"SIMPLE"', '"CUSTOM"') : plain;
  const { 'content-length': _length, 'transfer-encoding': _encoding, ...headers } = response.headers;
  said.push({
    method,
    path,
    contentType: mediaType(incoming),
    accept: incoming.headers.accept ?? '',
    body,
    status: response.statusCode ?? 0,
    type: mediaType(response),
    answer,
  });
  const hasBody = answer !== '' ? { 'content-length': Buffer.byteLength(answer) } : {};
  outgoing.writeHead(response.statusCode ?? 500, { ...headers, ...hasBody }).end(answer);
}

async function text(message: IncomingMessage): Promise<string> {
  message.setEncoding('utf8');
  let whole = '';
  for await (const part of message) whole += part;
  return whole;
}

function mediaType(message: IncomingMessage): string {
  return message.headers['content-type']?.split(';')[0] ?? '';
}

/** The same resource in the other edition's words. */
function fromSwift(path: string): string {
  return path
    .replace(/^\/task(?=[/?]|$)/, '/tasks')
    .replace(/^\/metadata\/taskdef(?=[/?]|$)/, '/metadata/taskdefs')
    .replace(/^\/metadata\/workflowdef(?=[/?]|$)/, '/metadata/workflow')
    .replace('/queue/poll-data', '/queue/polldata')
    .replace('/skip-task/', '/skiptask/')
    .replace(/\/reset-callbacks$/, '/resetcallbacks');
}
