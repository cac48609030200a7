/** The processes of a run of the lab `workflows`: servers of the product, workers of both kinds, callers. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../packages/core/src/testing/server-folder.ts';
import { within } from '../monotonic.ts';
import type { Progress, Reached, RunProcessSettings, ServerAddress } from '../processes/settings.ts';
import { Child, labProgram, type Program } from '../site/child.ts';
import { Place } from '../site/crew.ts';
import type { Border, Role } from './borders.ts';
import { patientTask, task } from './shapes.ts';

export interface RunCrewSettings {
  readonly folder: string;
  readonly seed: number;
  readonly databaseUrl: string;
  /** A third server, whose changes of runs are not fenced. */
  readonly plant: boolean;
}

const leaseMs = 4_000;
const perSecond = 16;
const counts = { server: 2, worker: 2, poller: 2, caller: 2 } as const;
/** How long callers may take to learn of each start what became of it. */
const settleTimeoutMs = 90_000;
const program = fileURLToPath(new URL('../../../packages/lineshaft/bin/lineshaft.js', import.meta.url));
const preload = ['borders.ts'];
/** A server that is started while the database is away says so and ends. */
const withoutDatabase = 'exit code 5';

export class RunCrew {
  /** By what they do; all of them are killed. */
  readonly places: Readonly<Record<Exclude<Role, 'database'>, readonly Place[]>>;
  /** Never killed: what polls for what only it does; a server whose changes of runs are not fenced, if one was planted. */
  readonly spared: readonly Place[];
  /** Processes that ended by themselves. */
  readonly crashes: string[] = [];
  /** Told of a process that is at a border at which it was to tell. */
  onReached: (border: Border) => void = () => {};
  private readonly settings: RunCrewSettings & { readonly servers: readonly ServerAddress[] };
  private readonly progress = new Map<string, number>();
  private readonly ready = new Set<string>();

  private constructor(settings: RunCrew['settings']) {
    this.settings = settings;
    this.places = {
      server: settings.servers.slice(0, counts.server).map((server) => this.serverPlace(server)),
      worker: this.several('worker', 'run-worker.ts'),
      poller: this.several('poller', 'run-poller.ts'),
      caller: this.several('caller', 'run-caller.ts'),
    };
    this.spared = [
      this.place('patient', (name) => this.ofLab('run-poller.ts', name, patientTask)),
      ...settings.servers.slice(counts.server).map((server) => this.serverPlace(server)),
    ];
  }

  static async open(settings: RunCrewSettings): Promise<RunCrew> {
    const servers: ServerAddress[] = [];
    for (let n = 1; n <= counts.server + (settings.plant ? 1 : 0); n += 1) {
      // Whoever follows a server that died has its port.
      const place = n > counts.server ? 'planted' : `server${n}`;
      servers.push({ place, url: `http://127.0.0.1:${await freePort()}` });
    }
    return new RunCrew({ ...settings, servers });
  }

  get acked(): number {
    return [...this.progress.values()].reduce((sum, acked) => sum + acked, 0);
  }

  /** Workers work, and starts are answered. */
  get isReady(): boolean {
    return this.ready.size >= counts.worker + counts.poller + 1 && this.acked > 0;
  }

  async finishCallers(): Promise<void> {
    await Promise.all(
      this.places.caller.map(async (place) => {
        place.current.tell({ command: 'finish' });
        if (await place.finish(settleTimeoutMs)) return;
        this.crashes.push(
          `${place.current.name} still waited for answers ${settleTimeoutMs / 1_000} s later`,
        );
      }),
    );
  }

  async stop(): Promise<void> {
    const { poller, worker, server } = this.places;
    await Promise.all([...poller, ...this.spared].map((place) => place.close('SIGTERM', 20_000)));
    await Promise.all([...worker, ...server].map((place) => place.close('SIGTERM', 20_000)));
  }

  async kill(): Promise<void> {
    const all = [...Object.values(this.places).flat(), ...this.spared];
    await Promise.all(all.map((place) => place.close('SIGKILL', 5_000)));
  }

  private several(role: 'worker' | 'poller' | 'caller', file: string): Place[] {
    return Array.from({ length: counts[role] }, (_, n) =>
      this.place(`${role}${n + 1}`, (name) => this.ofLab(file, name, task)),
    );
  }

  private place(name: string, programOf: (name: string) => Program): Place {
    return new Place(name, (incarnation) =>
      this.watch(name, new Child(programOf(incarnation), this.log(name))),
    );
  }

  private serverPlace(server: ServerAddress): Place {
    return this.place(server.place, (name) => this.server(name, server));
  }

  private log(place: string): string {
    return join(this.settings.folder, `${place}.log`);
  }

  private ofLab(file: string, name: string, polled: string): Program {
    const { folder, seed, databaseUrl, servers } = this.settings;
    const settings: RunProcessSettings = {
      folder,
      seed,
      databaseUrl,
      servers,
      name,
      leaseMs,
      perSecond: perSecond / counts.caller,
      task: polled,
    };
    return labProgram(file, settings, preload);
  }

  private server(name: string, { place, url }: ServerAddress): Program {
    const { databaseUrl, folder } = this.settings;
    const env = { LINESHAFT_LAB_FOLDER: folder, LINESHAFT_LAB_NAME: name };
    const args = ['--port', new URL(url).port, '--database-url', databaseUrl, '--log-level', 'warn'];
    const before = place === 'planted' ? [...preload, 'unfenced-runs.ts'] : preload;
    return { name, file: program, args: ['server', ...args], before, env };
  }

  private watch(place: string, child: Child): Child {
    child.onMessage((message) => {
      const said = message as Partial<Progress & Reached & { ready: boolean }>;
      if (said.ready === true) this.ready.add(place);
      if (said.acked !== undefined) this.progress.set(child.name, said.acked);
      if (said.reached !== undefined) this.onReached(said.reached);
    });
    child.ended.then(
      (how) => {
        const asTold = child.expected || (child.doomed && how === 'SIGKILL') || how === withoutDatabase;
        if (!asTold) this.crashes.push(`${child.name} ended by itself: ${how}`);
      },
      () => {},
    );
    return child;
  }
}

/** What a promise of `within` came to. */
export async function inTime(ms: number, work: Promise<unknown>): Promise<boolean> {
  return (
    (await within(
      ms,
      work.then(() => true),
    )) === true
  );
}
