/**
 * The short way: requests that come thousands of times a second and ask for little are answered before the framework sees
 * them, under the same rules: who may, what is counted and logged, how a server stops. It takes only what is plain and
 * allowed; all else goes on to the framework as if nothing had been, so that what is wrong with a request is said in one
 * place. A route on it is also a route of the framework, which documents it. docs/adr/0022-short-way-of-polls.md tells why.
 */

import type {
  IncomingHttpHeaders,
  IncomingMessage,
  RequestListener,
  Server,
  ServerResponse,
} from 'node:http';
import type { Log } from '@lineshaft/core';
import type { Action } from '../access/may-do.ts';
import { count, type HttpCounts, type RouteCounts } from '../metrics/http-counts.ts';
import { logAnswer } from './access-log.ts';
import type { Caller } from './caller.ts';
import { Exchange, type ExchangeHost } from './exchange.ts';
import type { Lifetimes } from './lifetime.ts';

/** A route of GET on the short way; its calls are logged at `debug`. */
export interface ShortRoute {
  /** As the table of routes has it, with parameters as `:name`. */
  readonly url: string;
  /** What its paths begin with, up to the parameter. */
  readonly prefix: string;
  readonly action: Action;
  /**
   * Answers a request that is plain, by the exchange that `open` makes of it.
   * @param tail what follows the prefix, with the query
   * @param open undefined: it is not known that the caller may
   * @returns false: nothing was done, and the framework is to answer
   */
  handle(tail: string, open: () => Exchange | undefined): boolean;
}

export interface ShortWayRules {
  /** Who calls, if he may, as far as it is known without asking anybody; undefined: the framework asks, and refuses. */
  readonly admit: (
    headers: IncomingHttpHeaders,
    asked: { readonly route: string; readonly action: Action },
  ) => Caller | undefined;
  readonly counts: HttpCounts;
}

export class ShortWay {
  private readonly parts: ShortWayParts;
  private known: readonly KnownRoute[] = [];

  constructor(parts: ShortWayParts) {
    this.parts = parts;
  }

  /** From now on these routes are on it. */
  open(routes: readonly ShortRoute[], rules: ShortWayRules): void {
    this.known = routes
      .map((route) => new KnownRoute(route, rules, this.parts))
      // The longest that fits holds.
      .sort((a, b) => b.route.prefix.length - a.route.prefix.length);
  }

  /** Stands before whoever answers the requests of a server. */
  standBefore(server: Server): void {
    const [answer] = server.listeners('request') as RequestListener[];
    if (answer === undefined) throw new TypeError('the server answers nothing yet');
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      if (!this.take(request, response)) answer.call(server, request, response);
    });
  }

  private take(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, url = '' } = request;
    if (method !== 'GET') return false;
    for (const known of this.known)
      if (url.startsWith(known.route.prefix)) return known.take(request, response);
    return false;
  }
}

interface ShortWayParts {
  readonly lifetimes: Lifetimes;
  readonly log: Log;
  /** What is answered where something went wrong; logs what nobody expected. */
  readonly answerOf: (
    error: unknown,
    exchange: Exchange,
  ) => { readonly status: number; readonly body: unknown };
}

/** A route with what holds for its exchanges. */
class KnownRoute implements ExchangeHost {
  readonly route: ShortRoute;
  private readonly rules: ShortWayRules;
  private readonly parts: ShortWayParts;
  private readonly counts: RouteCounts;

  constructor(route: ShortRoute, rules: ShortWayRules, parts: ShortWayParts) {
    this.route = route;
    this.rules = rules;
    this.parts = parts;
    this.counts = rules.counts.of('GET', route.url);
  }

  get stopped(): boolean {
    return this.parts.lifetimes.stopped;
  }

  take(request: IncomingMessage, response: ServerResponse): boolean {
    const tail = (request.url ?? '').slice(this.route.prefix.length);
    return this.route.handle(tail, () => this.begin(request, response));
  }

  private begin(request: IncomingMessage, response: ServerResponse): Exchange | undefined {
    const { url: route, action } = this.route;
    const caller = this.rules.admit(request.headers, { route, action });
    if (caller === undefined) return undefined;
    this.rules.counts.began();
    const exchange = new Exchange(this, { request, response, caller });
    this.parts.lifetimes.add(exchange);
    return exchange;
  }

  onClosed(exchange: Exchange): void {
    this.parts.lifetimes.remove(exchange);
    this.rules.counts.ended();
    const { request, response, caller, id } = exchange;
    // As with every other request: what nobody received was not answered.
    if (!response.writableFinished) return;
    const ms = performance.now() - exchange.beganMs;
    const { statusCode: status } = response;
    count(this.counts, status, ms / 1_000);
    const { method = '', url = '' } = request;
    logAnswer(this.parts.log, { method, url, status, ms, id, caller, frequent: true });
  }

  onFailed(exchange: Exchange, error: unknown): void {
    const { status, body } = this.parts.answerOf(error, exchange);
    exchange.send(status, JSON.stringify(body));
  }
}
