/**
 * The faults of the lab `workflows`, three rows of them beside each other: kills at random moments, kills at borders between
 * steps, and of the database. All are known by the seed; when a process comes to a border is its own affair.
 */
import type { TestServer } from '../../../packages/core/src/testing/server.ts';
import { monotonicMs, pause } from '../monotonic.ts';
import { type Random, randomOf } from '../random.ts';
import type { Place } from '../site/crew.ts';
import type { FaultKind, FaultRecord } from '../verdict/evidence.ts';
import { allBorders, type Border, borders, type Role } from './borders.ts';
import { inTime, type RunCrew } from './crew.ts';

/** How long a process may take to get to a border. */
const borderTimeoutMs = 4_000;
const returnTimeoutMs = 60_000;

const kindOf: Record<Exclude<Role, 'database'>, FaultKind> = {
  server: 'server killed',
  worker: 'worker killed',
  poller: 'worker killed',
  caller: 'caller killed',
};

export class RunFaults {
  readonly records: FaultRecord[] = [];
  /** How often a process was killed at a border. */
  readonly hits = new Map<string, number>();
  private readonly tries = new Map<Border, number>();
  private readonly crew: RunCrew;
  private readonly server: TestServer;
  private readonly seed: number;
  private readonly say: (line: string) => void;
  private endMs = 0;

  constructor(crew: RunCrew, parts: { server: TestServer; seed: number; say: (line: string) => void }) {
    this.crew = crew;
    this.server = parts.server;
    this.seed = parts.seed;
    this.say = parts.say;
  }

  /** Resolves when the time is over and the database is up. */
  async happen(seconds: number): Promise<void> {
    this.endMs = monotonicMs() + seconds * 1_000;
    const telling = setInterval(
      () => this.say(`${this.records.length} faults, ${this.crew.acked} runs acknowledged`),
      5_000,
    );
    try {
      await Promise.all([this.atRandom(), this.atBorders(), this.ofDatabase()]);
    } finally {
      clearInterval(telling);
    }
  }

  /** Borders that somebody was to die at three times, and nobody has come to. */
  get missed(): string[] {
    return allBorders
      .filter(({ role, at }) => !this.hits.has(`${role} ${at}`) && (this.tries.get(at) ?? 0) >= 3)
      .map(({ role, at }) => `nobody was killed at the border '${at}' of a ${role}`);
  }

  private async atRandom(): Promise<void> {
    const random = randomOf(this.seed, 'workflows: random');
    const roles = ['server', 'server', 'poller', 'poller', 'worker', 'worker', 'caller'] as const;
    await this.again(random, [600, 1_800], async () => {
      const role = random.pick(roles);
      this.happened(kindOf[role], await random.pick(this.crew.places[role]).kill());
    });
  }

  private async atBorders(): Promise<void> {
    const random = randomOf(this.seed, 'workflows: borders');
    let left: (typeof allBorders)[number][] = [];
    await this.again(random, [100, 500], async () => {
      if (left.length === 0) left = shuffled(allBorders, random);
      const next = left.shift();
      if (next === undefined || next.role === 'database') return;
      const { role, at } = next;
      this.tries.set(at, (this.tries.get(at) ?? 0) + 1);
      const died = await random.pick(this.crew.places[role]).dieAt(at, borderTimeoutMs);
      if (died === undefined) return;
      this.happened(kindOf[role], died);
      this.hit(role, at);
    });
  }

  private hit(role: Role, at: Border): void {
    const key = `${role} ${at}`;
    this.hits.set(key, (this.hits.get(key) ?? 0) + 1);
  }

  /** At a border too, where somebody comes to it in time. */
  private async ofDatabase(): Promise<void> {
    const random = randomOf(this.seed, 'workflows: database');
    let left: Border[] = [];
    await this.again(random, [8_000, 16_000], async () => {
      if (left.length === 0) left = shuffled(borders.database, random);
      const at = left.shift();
      if (at === undefined) return;
      this.tries.set(at, (this.tries.get(at) ?? 0) + 1);
      const places = this.crew.places[at === 'at complete_steps' ? 'worker' : 'server'];
      if (await this.comesTo(at, places)) this.hit('database', at);
      await this.restartDatabase(random.whole(0, 1_500));
    });
  }

  /** Whoever of them is there first: one that is killed meanwhile does not come at all. */
  private async comesTo(at: Border, places: readonly Place[]): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Somebody may come late to one that was asked for before.
    this.crew.onReached = (border) => {
      if (border === at) resolve();
    };
    for (const { current } of places) current.tell({ command: 'border', at, act: 'tell' });
    return await inTime(borderTimeoutMs, promise);
  }

  /** Kills all processes of PostgreSQL, and starts it again after a time. */
  private async restartDatabase(downMs: number): Promise<void> {
    const fromMs = monotonicMs();
    const place = this.records.push({ kind: 'database away', fromMs, untilMs: Infinity }) - 1;
    await this.server.kill();
    await pause(downMs);
    for (;;) {
      try {
        await this.server.start();
        break;
      } catch (error) {
        if (monotonicMs() - fromMs > returnTimeoutMs) throw error;
        await pause(200);
      }
    }
    this.records[place] = { kind: 'database away', fromMs, untilMs: monotonicMs() };
  }

  private happened(kind: FaultKind, target: string): void {
    this.records.push({ kind, target, fromMs: monotonicMs(), untilMs: Infinity });
  }

  /** Until the time is over, each so long after the one before. */
  private async again(
    random: Random,
    [least, most]: readonly [number, number],
    act: () => Promise<void>,
  ): Promise<void> {
    for (;;) {
      await pause(Math.min(random.whole(least, most), Math.max(this.endMs - monotonicMs(), 0)));
      if (monotonicMs() >= this.endMs) return;
      await act();
    }
  }
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const left = [...items];
  const order: Item[] = [];
  while (left.length > 0) order.push(...left.splice(random.whole(0, left.length - 1), 1));
  return order;
}
