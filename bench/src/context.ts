/** What every bench is given. */
import { Agent } from './agent-handle.ts';
import type { Contestant, Metrics } from './alternate.ts';
import type { Options } from './options.ts';
import type { Report } from './report.ts';
import type { OpenStore, Stores } from './stores.ts';
import { findSystem, type SystemEntry } from './systems/catalog.ts';
import type { DriverConfig, Purpose } from './systems/port.ts';

export interface Bench {
  readonly name: string;
  readonly about: string;
  readonly variants: readonly string[];
  /** The systems that take part where nobody chooses. */
  readonly systems: readonly string[];
  run(context: Context): Promise<void>;
}

export interface Seat {
  readonly system: SystemEntry;
  readonly setup: string;
  readonly purpose: Purpose;
  readonly keepHistory?: boolean;
  readonly extra?: Readonly<Record<string, string>>;
}

export class Context {
  readonly options: Options;
  readonly report: Report;
  readonly stores: Stores;
  readonly #described = new Set<string>();

  constructor(options: Options, report: Report, stores: Stores) {
    this.options = options;
    this.report = report;
    this.stores = stores;
  }

  wants(variant: string): boolean {
    return this.options.variants === undefined || this.options.variants.includes(variant);
  }

  /** Full size, small size with --quick, or what --jobs says. */
  jobs(full: number, quick: number): number {
    return this.options.jobs ?? (this.options.quick ? quick : full);
  }

  rounds(full: number): number {
    return this.options.rounds ?? (this.options.quick ? 1 : full);
  }

  /** Those of `names` that were chosen, ours always among them. */
  chosen(names: readonly string[]): SystemEntry[] {
    const { peers } = this.options;
    return names
      .filter((name) => peers === undefined || peers.includes(name) || name === 'lineshaft')
      .map(findSystem);
  }

  /** A contestant per chosen system and setup; with --quick only the first setup of each. */
  contestants(
    names: readonly string[],
    purpose: Purpose,
    measure: (seat: Seat, round: number) => Promise<Metrics>,
  ): Contestant[] {
    return this.chosen(names).flatMap((system) =>
      system.setups[purpose].slice(0, this.options.quick ? 1 : undefined).map((setup) => ({
        system: system.name,
        setup,
        measure: (round: number) => measure({ system, setup, purpose }, round),
      })),
    );
  }

  /** Starts an agent for a seat on a store; its settings are told once a run. */
  async agent(seat: Seat, store: OpenStore): Promise<Agent> {
    const config: DriverConfig = {
      url: store.url,
      setup: seat.setup,
      purpose: seat.purpose,
      keepHistory: seat.keepHistory ?? false,
      extra: seat.extra ?? {},
    };
    const agent = new Agent(seat.system, config);
    const { url: _url, ...told } = config;
    const key = JSON.stringify([seat.system.name, told]);
    if (!this.#described.has(key)) {
      this.#described.add(key);
      const settings = await agent.call('settings', {});
      this.report.describe(seat.system.name, { ...told, ...settings });
    }
    return agent;
  }
}
