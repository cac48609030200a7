/**
 * The hooks and middlewares of all plugins, ready to be called. A call that no plugin wants is undefined here, so that
 * the hot path pays for nothing but the question whether it is.
 */

import type { Clock } from '../domain/clock.ts';
import { isLineshaftError, LineshaftError } from '../domain/errors.ts';
import type { EnqueueRequest } from '../domain/job-options.ts';
import type { Log } from '../log.ts';
import type {
  AttemptEndFacts,
  AttemptFacts,
  AttemptResult,
  EnqueueContext,
  FinishedFacts,
  HookName,
  Plugin,
  PluginContext,
  PluginHooks,
  WorkerFacts,
} from '../plugin.ts';
import { Guard, type HookReport } from './guard.ts';

interface Tools {
  readonly clock: Clock;
  readonly log: Log;
}

/** One part of one plugin. */
interface Part<Call> {
  readonly guard: Guard;
  readonly call: Call;
  readonly context: PluginContext<unknown>;
}

type Call<Name extends HookName> = NonNullable<PluginHooks<unknown>[Name]>;
type Middleware = NonNullable<Plugin['middleware']>;

export class Hooks {
  /** The request as the plugins make it. @throws LineshaftError ENQUEUE_REFUSED */
  readonly enqueue: ((request: EnqueueRequest) => Promise<EnqueueRequest>) | undefined;
  readonly attemptStart: ((attempt: AttemptFacts) => void) | undefined;
  readonly attemptEnd: ((attempt: AttemptEndFacts) => void) | undefined;
  readonly finished: ((jobs: readonly FinishedFacts[]) => void) | undefined;
  readonly workerStart: ((worker: WorkerFacts) => Promise<void>) | undefined;
  readonly workerStop: ((worker: WorkerFacts) => Promise<void>) | undefined;
  /** Runs an attempt with everything that goes around it; `run` never rejects, and neither does this. */
  readonly around:
    | ((attempt: AttemptFacts, run: () => Promise<AttemptResult>) => Promise<AttemptResult>)
    | undefined;
  private readonly guards: Guard[] = [];
  private readonly tools: Tools;

  constructor(plugins: readonly Plugin[], tools: Tools) {
    this.tools = tools;
    this.enqueue = this.enqueueOf(this.parts(plugins, 'enqueue'));
    this.attemptStart = told(this.parts(plugins, 'attemptStart'));
    this.attemptEnd = told(this.parts(plugins, 'attemptEnd'));
    this.finished = told(this.parts(plugins, 'finished'));
    this.workerStart = asked(this.parts(plugins, 'workerStart'));
    this.workerStop = asked(this.parts(plugins, 'workerStop').reverse());
    const layers: Part<Middleware>[] = [];
    for (const plugin of plugins) {
      if (plugin.middleware !== undefined) layers.push(this.part(plugin, 'middleware', plugin.middleware));
    }
    this.around = layers.length === 0 ? undefined : (attempt, run) => goAround(layers, 0, attempt, run);
  }

  report(): readonly HookReport[] {
    return this.guards.map((guard) => guard.report());
  }

  private parts<Name extends HookName>(plugins: readonly Plugin[], name: Name): Part<Call<Name>>[] {
    const parts: Part<Call<Name>>[] = [];
    for (const plugin of plugins) {
      const call = plugin.hooks[name];
      if (call !== undefined) parts.push(this.part(plugin, name, call.bind(plugin.hooks) as Call<Name>));
    }
    return parts;
  }

  private part<What>(plugin: Plugin, hook: HookReport['hook'], call: What): Part<What> {
    const guard = new Guard(plugin, hook, this.tools);
    this.guards.push(guard);
    return { guard, call, context: { plugin: plugin.name, config: plugin.config, ...this.tools } };
  }

  private enqueueOf(parts: readonly Part<Call<'enqueue'>>[]): Hooks['enqueue'] {
    if (parts.length === 0) return undefined;
    return async (request) => {
      let changed = request;
      for (const { guard, call, context } of parts) {
        const refusing: EnqueueContext<unknown> = {
          ...context,
          refuse: (why) => refuse(context.plugin, why),
        };
        changed =
          (await guard.ask(
            () => call(changed, refusing),
            (error) => isLineshaftError(error, 'ENQUEUE_REFUSED'),
          )) ?? changed;
      }
      return changed;
    };
  }
}

function refuse(plugin: string, reason: unknown): never {
  throw new LineshaftError('ENQUEUE_REFUSED', {
    message: `plugin '${plugin}' refuses the job: ${String(reason).slice(0, 500)}`,
    details: { plugin },
  });
}

function told<Facts>(
  parts: readonly Part<(facts: Facts, context: PluginContext<unknown>) => unknown>[],
): ((facts: Facts) => void) | undefined {
  if (parts.length === 0) return undefined;
  return (facts) => {
    for (const { guard, call, context } of parts) guard.run(() => call(facts, context));
  };
}

function asked<Facts>(
  parts: readonly Part<(facts: Facts, context: PluginContext<unknown>) => unknown>[],
): ((facts: Facts) => Promise<void>) | undefined {
  if (parts.length === 0) return undefined;
  return async (facts) => {
    for (const { guard, call, context } of parts) await guard.ask(() => call(facts, context));
  };
}

/** Calls one middleware after the other; what one does before or after `next` wrongly, or not at all, is skipped. */
async function goAround(
  layers: readonly Part<Middleware>[],
  place: number,
  attempt: AttemptFacts,
  run: () => Promise<AttemptResult>,
): Promise<AttemptResult> {
  const layer = layers[place];
  if (layer === undefined) return await run();
  const { guard, call, context } = layer;
  if (guard.off) return await goAround(layers, place + 1, attempt, run);
  let inner: Promise<AttemptResult> | undefined;
  const entered = Promise.withResolvers<void>();
  const next = (): Promise<AttemptResult> => {
    inner ??= goAround(layers, place + 1, attempt, run);
    entered.resolve();
    return inner;
  };
  const ended = guard.settle(() => call(attempt, next, context));
  // Most call `next` at once; then no timer is needed for that.
  if (inner === undefined) await guard.within(Promise.race([entered.promise, ended]));
  if (inner === undefined && !guard.off) {
    guard.fail(
      new LineshaftError('OPTION_INVALID', {
        message: 'a middleware must call next, and it returned without',
      }),
    );
  }
  const result = await next();
  await guard.within(ended);
  return result;
}
