/** What limits say of why a job waits: too many at once, too many in a time, told to wait, its key held. Pure. */

import type { Finding, FullLimitFacts } from './why-facts.ts';
import { listText, timeText } from './why-words.ts';

/** A finding for each limit that leaves no room. */
export function limitsFull(limits: readonly FullLimitFacts[], nowMs: number): Finding[] {
  return limits.map((limit) => judgeLimit(limit, nowMs));
}

function judgeLimit(limit: FullLimitFacts, nowMs: number): Finding {
  const { name, project, key, used, concurrency, need, perSecond, openMs, closedMs, fifo, holder, holders } =
    limit;
  const of = `limit ${name}${project === 'default' ? '' : ` (project ${project})`}${key === '' ? '' : `, key ${key}`},`;
  const details = { limit: name, project, key, used, concurrency: concurrency ?? null, need, holders };
  const [first] = holders;
  if (closedMs !== undefined) {
    return {
      code: 'throttled',
      message: `${of} is closed until ${timeText(closedMs, nowMs)}: a job said that it was throttled`,
      command: undefined,
      details: { ...details, until: new Date(closedMs).toISOString() },
    };
  }
  if (fifo && holder !== undefined) {
    return {
      code: 'key-held',
      message: `${of} lets jobs run one after the other, and the earlier job ${holder} has the key until it is final`,
      command: `lineshaft why ${holder}`,
      details: { ...details, holder },
    };
  }
  if (concurrency !== undefined && used + need > concurrency) {
    return {
      code: 'limit-full',
      message:
        `${of} allows ${concurrency} at once and ${used} are in use${need === 1 ? '' : `, it takes ${need}`}` +
        `${holders.length === 0 ? '' : `: held by ${listText(holders)}`}`,
      command: first === undefined ? undefined : `lineshaft job show ${first}`,
      details,
    };
  }
  const rate = perSecond === undefined ? '' : ` allows ${Number(perSecond.toPrecision(3))} a second, and`;
  const until = openMs === undefined ? ' has no room now' : ` has room for it at ${timeText(openMs, nowMs)}`;
  return {
    code: 'rate-reached',
    message: `${of}${rate}${until}`,
    command: undefined,
    details: {
      ...details,
      perSecond: perSecond ?? null,
      until: openMs === undefined ? null : new Date(openMs).toISOString(),
    },
  };
}
