import { describe, expect, it } from 'vitest';
import { Entry } from './entry.ts';
import { makeAttempt, Recorder } from './executor.conformance.ts';
import { Lane, type LaneOwner } from './lane.ts';
import type { Transport, TransportEvents } from './transport.ts';

/** A child under the hand of the test: it has taken as many turns as the test says. */
class FakeTransport implements Transport {
  readonly label = 'fake';
  readonly sent: unknown[][] = [];
  turnsTaken = 0;

  send(text: string): void {
    this.sent.push(...(JSON.parse(text) as unknown[][]));
  }

  takeBack(firstSeq: number, count: number): number {
    return Math.max(0, Math.min(count, firstSeq + count - 1 - this.turnsTaken));
  }

  grant(): void {}
  refreshFinished(): void {}
  finishedUs(): number {
    return -1;
  }
  startedAt(): undefined {
    return undefined;
  }
  checkMemory(): void {}
  heldBytes(): number {
    return 0;
  }
  kill(): void {}
}

function makeLane() {
  const started: Entry[] = [];
  const owner: LaneOwner = {
    onReady() {},
    onRefused() {},
    onStarted(entry) {
      entry.started = true;
      started.push(entry);
    },
    onEvent() {},
    onOutcome(entry) {
      entry.ended = true;
    },
    onRoom() {},
    onLine() {},
    onLost() {},
  };
  const transport = new FakeTransport();
  let events: TransportEvents | undefined;
  const open = (given: TransportEvents) => {
    events = given;
    return transport;
  };
  const lane = new Lane(owner, undefined, open, ['init', []]);
  const receive = (...messages: unknown[][]) => events?.onMessages(messages);
  receive(['ready']);
  const entries = [1, 2, 3].map(() => new Entry(makeAttempt('any'), new Recorder(), { expectedMs: 0.01 }));
  for (const entry of entries) lane.give(entry, performance.now());
  lane.flush();
  return { lane, transport, receive, entries, started };
}

describe('a lane', () => {
  it('learns what runs also when the report of the attempt before it was still under way', () => {
    const { lane, transport, receive, entries, started } = makeLane();
    transport.turnsTaken = 2;
    expect(lane.reclaim()).toEqual([entries[2]]);
    expect(started).toEqual([]);
    receive(['ok', 1, 10]);
    expect(lane.isStuck(performance.now())).toBe(true);
    expect(lane.reclaim()).toEqual([]);
    expect(started).toEqual([entries[1]]);
    expect(lane.isStuck(performance.now())).toBe(false);
  });

  it('gives nothing new to a child until that has forgotten what was taken back', () => {
    const { lane, transport, receive, entries } = makeLane();
    expect(lane.reclaim()).toEqual(entries);
    expect(transport.sent.at(-1)).toEqual(['drop']);
    const next = new Entry(makeAttempt('any'), new Recorder(), { expectedMs: 0.01 });
    expect(lane.accepts(next, performance.now())).toBe(false);
    receive(['dropped']);
    expect(lane.accepts(next, performance.now())).toBe(true);
    lane.give(next, performance.now());
    lane.flush();
    expect(transport.sent.at(-1)?.slice(0, 2)).toEqual(['run', 1]);
  });

  it('lets nothing wait behind an attempt of a kind that is not known to be short', () => {
    const { lane, receive } = makeLane();
    receive(['ok', 1, 10], ['ok', 2, 10], ['ok', 3, 10]);
    const unknown = new Entry(makeAttempt('any'), new Recorder(), { expectedMs: Number.POSITIVE_INFINITY });
    const short = new Entry(makeAttempt('any'), new Recorder(), { expectedMs: 0.01 });
    lane.give(unknown, performance.now());
    expect(lane.accepts(short, performance.now())).toBe(false);
  });
});
