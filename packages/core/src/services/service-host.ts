/**
 * Runs the services of one worker: makes them when it starts, in the order of their dependencies, and stops them in
 * reverse. A service that cannot be made, started or stopped is reported and left alone; the worker goes on.
 */

import type { Clock } from '../domain/clock.ts';
import { LineshaftError } from '../domain/errors.ts';
import type { Log } from '../log.ts';
import type { Plugin, ServiceContext, ServiceEvents, ServiceInternals, WorkerFacts } from '../plugin.ts';
import { Guard, type HookReport } from '../plugins/guard.ts';
import type { Leadership } from './leader.ts';
import { Loop, type LoopOptions, type Service } from './service.ts';

export interface ServiceHostOptions extends Pick<LoopOptions, 'onError' | 'onRecovered' | 'rest'> {
  /** In the order in which they start. */
  readonly plugins: readonly Plugin[];
  readonly clock: Clock;
  readonly log: Log;
  readonly worker: WorkerFacts;
  readonly internals: ServiceInternals;
  readonly query: ServiceContext['query'];
  readonly onEvent: <Name extends keyof ServiceEvents>(name: Name, ...facts: ServiceEvents[Name]) => void;
}

export class ServiceHost {
  private readonly options: ServiceHostOptions;
  private readonly services: { readonly service: Service; readonly guard: Guard }[] = [];
  private readonly guards: Guard[] = [];
  private readonly listeners = new Map<string, ((body: string) => void)[]>();
  private leader: Leadership | undefined;
  /** Of the service of the plugin `leader`; without one nobody leads. */
  private readonly leadership: Pick<Leadership, 'term' | 'write'>;

  constructor(options: ServiceHostOptions) {
    this.options = options;
    const led = (): Leadership | undefined => this.leader;
    this.leadership = {
      get term() {
        return led()?.term;
      },
      async write(work) {
        const leader = led();
        if (leader === undefined)
          throw new LineshaftError('LEADERSHIP_LOST', { message: 'nobody leads here' });
        return await leader.write(work);
      },
    };
  }

  start(): void {
    for (const plugin of this.options.plugins) {
      if (plugin.service === undefined) continue;
      const guard = new Guard(plugin, 'service', this.options);
      this.guards.push(guard);
      try {
        const service = plugin.service(this.contextOf(plugin));
        if (plugin.name === 'leader' && 'write' in service) this.leader = service as Leadership;
        service.start();
        this.services.push({ service, guard });
      } catch (error) {
        guard.fail(error);
      }
    }
  }

  /** Stops what runs, the last started first; waits for each, but not for ever. */
  async stop(): Promise<void> {
    for (let last = this.services.pop(); last !== undefined; last = this.services.pop()) {
      const { service, guard } = last;
      await guard.within(guard.settle(() => service.stop()));
    }
  }

  get leads(): boolean {
    return this.leader?.term !== undefined;
  }

  /** Passes on what the database or this worker says. */
  message(type: string, body: string): void {
    for (const listener of this.listeners.get(type) ?? []) listener(body);
  }

  report(): readonly HookReport[] {
    return this.guards.map((guard) => guard.report());
  }

  private contextOf(plugin: Plugin): ServiceContext<unknown> {
    const { clock, log, worker, internals, query, rest, onError, onRecovered, onEvent } = this.options;
    return {
      plugin: plugin.name,
      config: plugin.config,
      clock,
      log,
      worker,
      leadership: this.leadership,
      internals,
      query,
      loop: (options) =>
        new Loop({
          ...options,
          name: plugin.name,
          clock,
          rest,
          onError,
          ...(onRecovered === undefined ? {} : { onRecovered }),
        }),
      onMessage: (type, listener) => {
        const listeners = this.listeners.get(type);
        const guarded = (body: string): void => {
          try {
            listener(body);
          } catch (error) {
            onError(plugin.name, error);
          }
        };
        if (listeners === undefined) this.listeners.set(type, [guarded]);
        else listeners.push(guarded);
      },
      tell: (name, ...facts) => {
        this.message(name, '');
        onEvent(name, ...facts);
      },
    };
  }
}
