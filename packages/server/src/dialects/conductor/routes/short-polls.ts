/**
 * Polls on the short way: those that are plain, as clients send them thousands of times a second. What is not, also a value
 * that is refused, goes to the routes of `polls.ts`, which answer the same.
 */

import type { PolledStep, PollRequest, Workflows } from '@lineshaft/core';
import type { Exchange } from '../../../http/exchange.ts';
import type { ShortRoute } from '../../../http/short-way.ts';
import { list } from '../answers.ts';
import { confirmWhenSent, countMax, longestPollMs, polledText, shortPollMs } from './polls.ts';

/** A kind as it stands in a path, and a query: neither with anything that would have to be decoded. */
const plainTail = /^([\w.:@~-]{1,200})(?:\?([\w.:@~=&,/-]*))?$/;
/** Longer ones are for the other way to refuse. */
const longestText = 500;

type Asked = Omit<PollRequest, 'signal'>;

export function shortPolls(workflows: Workflows): ShortRoute[] {
  return ['/api/tasks/poll/', '/api/task/poll/'].flatMap((path) => [
    shortRoute(workflows, `${path}batch/`, { read: batchOf, send: sendAll }),
    shortRoute(workflows, path, { read: singleOf, send: sendOne }),
  ]);
}

function shortRoute(
  workflows: Workflows,
  prefix: string,
  way: {
    readonly read: (kind: string, query: Query) => Asked | undefined;
    readonly send: (exchange: Exchange, polled: readonly PolledStep[]) => void;
  },
): ShortRoute {
  const { read, send } = way;
  return {
    url: `${prefix}:tasktype`,
    prefix,
    action: 'work',
    handle(tail, open) {
      const [, kind, query = ''] = plainTail.exec(tail) ?? [];
      const asked = kind === undefined ? undefined : read(kind, queryOf(query));
      if (asked === undefined) return false;
      const exchange = open();
      if (exchange === undefined) return false;
      poll(workflows, { ...asked, signal: exchange, confirm: true }).then(
        (polled) => {
          confirmWhenSent(workflows, exchange.response, polled);
          send(exchange, polled);
        },
        (error: unknown) => exchange.fail(error),
      );
      return true;
    },
  };
}

/** What a poll refuses it may throw at once. */
function poll(workflows: Workflows, request: PollRequest): Promise<PolledStep[]> {
  try {
    return workflows.poll(request);
  } catch (error) {
    return Promise.reject(error);
  }
}

function sendAll(exchange: Exchange, polled: readonly PolledStep[]): void {
  exchange.send(200, polled.length === 0 ? '[]' : list(polled.map(polledText)));
}

function sendOne(exchange: Exchange, [polled]: readonly PolledStep[]): void {
  if (polled === undefined) exchange.send(204);
  else exchange.send(200, polledText(polled));
}

interface Query {
  workerid?: string;
  domain?: string;
  count?: string;
  timeout?: string;
}

/** Of several of the same name the last; others are passed over. */
function queryOf(text: string): Query {
  const query: Query = {};
  for (let from = 0; from < text.length; ) {
    let to = text.indexOf('&', from);
    if (to < 0) to = text.length;
    const part = text.slice(from, to);
    from = to + 1;
    const middle = part.indexOf('=');
    const value = middle < 0 ? '' : part.slice(middle + 1);
    switch (middle < 0 ? part : part.slice(0, middle)) {
      case 'workerid':
        query.workerid = value;
        break;
      case 'domain':
        query.domain = value;
        break;
      case 'count':
        query.count = value;
        break;
      case 'timeout':
        query.timeout = value;
        break;
    }
  }
  return query;
}

function singleOf(kind: string, { workerid = '', domain }: Query): Asked | undefined {
  return askedOf({ kind, workerId: workerid, domain, count: 1, timeoutMs: shortPollMs });
}

function batchOf(kind: string, { workerid = '', domain, count, timeout }: Query): Asked | undefined {
  const steps = wholeOf(count, 1, 1_000_000_000);
  const timeoutMs = wholeOf(timeout, shortPollMs, longestPollMs);
  if (steps === undefined || steps === 0 || timeoutMs === undefined) return undefined;
  return askedOf({ kind, workerId: workerid, domain, count: Math.min(steps, countMax), timeoutMs });
}

function askedOf({
  domain,
  ...asked
}: Omit<Asked, 'domain'> & { domain: string | undefined }): Asked | undefined {
  if (asked.workerId.length > longestText || (domain ?? '').length > longestText) return undefined;
  return domain === undefined ? asked : { ...asked, domain };
}

/** Digits; nothing is the default. undefined: the other way reads it. */
function wholeOf(given: string | undefined, otherwise: number, most: number): number | undefined {
  if (given === undefined || given === '') return otherwise;
  const value = /^\d{1,9}$/.test(given) ? Number(given) : Number.POSITIVE_INFINITY;
  return value <= most ? value : undefined;
}
