/**
 * One request on the short way (`short-way.ts`): sends its answer, and says when nobody waits for it any more. It stands for
 * the AbortController, the hooks and the objects of the framework, of which very many would wait with their polls.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PollSignal } from '@lineshaft/core';
import type { Caller } from './caller.ts';
import { requestId, requestIdHeader } from './request-id.ts';

export interface ExchangeHost {
  /** The server stops: connections end with their answers. */
  readonly stopped: boolean;
  /** The connection has no more to do with it: it was answered, or the client went away. */
  onClosed(exchange: Exchange): void;
  /** Answers with what went wrong. */
  onFailed(exchange: Exchange, error: unknown): void;
}

export class Exchange implements PollSignal {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly caller: Caller;
  /** When it began, by the monotonic clock. */
  readonly beganMs = performance.now();
  /** Nobody waits any more: its client went away, or the server stops. */
  aborted = false;
  private readonly host: ExchangeHost;
  private onAbort: (() => void) | undefined;
  private givenId: string | undefined;

  constructor(
    host: ExchangeHost,
    made: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly caller: Caller },
  ) {
    const { request, response, caller } = made;
    this.host = host;
    this.request = request;
    this.response = response;
    this.caller = caller;
    response.once('close', () => {
      if (!response.writableFinished) this.abort();
      host.onClosed(this);
    });
  }

  /** Of the request: as it is answered, and stands in the log. Made when it is wanted: very many wait without. */
  get id(): string {
    this.givenId ??= requestId(this.request);
    return this.givenId;
  }

  /** Answers, if the client is still there. @param json the body; none with 204 */
  send(status: number, json?: string): void {
    const { response, host } = this;
    if (response.closed || response.writableEnded) return;
    const headers = [requestIdHeader, this.id];
    if (json !== undefined) {
      headers.push('content-type', 'application/json; charset=utf-8');
      headers.push('content-length', String(Buffer.byteLength(json)));
    }
    if (host.stopped) headers.push('connection', 'close');
    response.writeHead(status, headers).end(json);
  }

  fail(error: unknown): void {
    this.host.onFailed(this, error);
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.onAbort?.();
    this.onAbort = undefined;
  }

  /** There is one who listens. */
  addEventListener(_type: 'abort', listener: () => void): void {
    this.onAbort = listener;
  }

  removeEventListener(): void {
    this.onAbort = undefined;
  }
}
