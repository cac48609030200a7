/** What the server counts of requests, by route and status: raised when an answer was written. */

import type { FastifyInstance } from 'fastify';
import type { Distribution, PrometheusText } from './prometheus.ts';

/** Upper bounds of durations, in seconds; long polls take up to 60. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

class Durations implements Distribution {
  readonly bounds = bounds;
  readonly counts = new Array<number>(bounds.length + 1).fill(0);
  sum = 0;

  observe(seconds: number): void {
    const place = bounds.findIndex((bound) => seconds <= bound);
    const bucket = place < 0 ? bounds.length : place;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += seconds;
  }
}

export interface RouteCounts {
  readonly method: string;
  readonly route: string;
  readonly byStatus: Map<number, number>;
  readonly durations: Durations;
}

export class HttpCounts {
  private readonly routes = new Map<string, RouteCounts>();
  private inFlight = 0;

  constructor(app: FastifyInstance) {
    app.addHook('onRequest', (_request, reply, done) => {
      this.began();
      // Also where the client goes away before there is an answer.
      reply.raw.once('close', () => this.ended());
      done();
    });
    app.addHook('onResponse', ({ method, routeOptions }, reply, done) => {
      // Paths that are no route count together: what callers make up must not make series.
      count(this.of(method, routeOptions.url ?? 'none'), reply.statusCode, reply.elapsedTime / 1_000);
      done();
    });
  }

  /** A request has come. */
  began(): void {
    this.inFlight += 1;
  }

  /** Nobody waits for its answer any more. */
  ended(): void {
    this.inFlight -= 1;
  }

  write(text: PrometheusText): void {
    const all = [...this.routes.values()];
    text.counter(
      'lineshaft_http_requests_total',
      'Requests that were answered, by route and status.',
      all.flatMap(({ method, route, byStatus }) =>
        [...byStatus].map(([status, count]) => [{ method, route, status }, count] as const),
      ),
    );
    text.histogram(
      'lineshaft_http_request_duration_seconds',
      'From the first byte of a request to the last of its answer; long polls wait in it.',
      all.map(({ method, route, durations }) => [{ method, route }, durations] as const),
    );
    text.gauge('lineshaft_http_requests_in_flight', 'Requests that are being answered.', [
      [{}, this.inFlight],
    ]);
  }

  /** What is counted of a route. */
  of(method: string, route: string): RouteCounts {
    const key = `${method} ${route}`;
    let counts = this.routes.get(key);
    if (counts === undefined) {
      counts = { method, route, byStatus: new Map(), durations: new Durations() };
      this.routes.set(key, counts);
    }
    return counts;
  }
}

/** A request of a route was answered. */
export function count({ byStatus, durations }: RouteCounts, status: number, seconds: number): void {
  byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  durations.observe(seconds);
}
