/**
 * Forgets finished jobs while its worker leads: by rules, by how many a queue keeps, and what is past its time where
 * others keep its partition for long. A pass looks through history a bounded number of jobs at a time and rests as long
 * as it works, so that claims and completions hardly notice. What it writes names its term.
 */

import { isLineshaftError } from '../domain/errors.ts';
import { fieldsOf, refuseUnknown, wholeNumber } from '../domain/fields.ts';
import type { RuleNode } from '../domain/rules.ts';
import type { StandardSchema } from '../domain/standard-schema.ts';
import type { RunRetention } from '../domain/workflow/run-retention.ts';
import { definePlugin, type ServiceContext } from '../plugin.ts';
import { type PruneReport, prune } from './prune.ts';
import { checkRunRetention } from './prune-runs.ts';
import { checkBatch, checkPruneRules, type PruneRules } from './pruning.ts';
import type { Service } from './service.ts';

export interface PrunerConfig extends PruneRules {
  /** How often it makes a pass; 1 s to 1 day. Default 5 min. */
  readonly intervalMs?: number;
  /** How many jobs one statement looks at, about; 1 to 100,000. Default 10,000. */
  readonly batch?: number;
  /**
   * How long runs of workflows that have ended are kept, where their definition says nothing of it (`lineshaft.retention`
   * in its metadata): by age and by number. Default for ever.
   */
  readonly runs?: RunRetention;
}

interface CheckedConfig {
  readonly rules: readonly RuleNode[];
  readonly intervalMs: number;
  readonly batch: number;
  readonly runs: RunRetention;
}

/** After so long all of history is judged anew, in case something has changed that should not. */
const judgeAnewMs = 86_400_000;
/** Who does not lead only looks at its own memory so often. */
const notLeadingMs = 1_000;

/**
 * The built-in service that forgets finished jobs. Without a configuration it does what queues say of their retention;
 * rules are given to it: a job that fits any of them is forgotten.
 *
 * @throws OPTION_INVALID, OPTION_UNKNOWN with the place in the rule
 * @example new Lineshaft({ plugins: [pruner({ rule: age().gt('30d').and(queue.eq('mail')), intervalMs: 3_600_000 })] })
 */
export const pruner = definePlugin({
  name: 'pruner',
  dependsOn: ['leader'],
  config: schemaOf(),
  service: createPruner,
});

function schemaOf(): StandardSchema<PrunerConfig | undefined, CheckedConfig> {
  return {
    '~standard': {
      version: 1,
      vendor: 'lineshaft',
      validate(given) {
        const config = fieldsOf(given ?? {}, 'pruner') as PrunerConfig & Record<string, unknown>;
        refuseUnknown(config, ['rule', 'rules', 'intervalMs', 'batch', 'runs']);
        const { intervalMs = 300_000 } = config;
        return {
          value: {
            rules: checkPruneRules(config).map(({ node }) => node),
            intervalMs: wholeNumber(intervalMs, 'intervalMs', 1_000, 86_400_000),
            batch: checkBatch(config.batch),
            runs: checkRunRetention(config.runs),
          },
        };
      },
    },
  };
}

function createPruner(context: ServiceContext<CheckedConfig>): Service {
  const { clock, leadership, config, internals } = context;
  const { slowSession: session, statements, schema } = internals;
  let passAtMs = Number.NEGATIVE_INFINITY;
  /** The pass of this term that looked at everything, and when the last one began, by the database's clock. */
  let judged: { term: string; wholeAtMs: number; beganAtMs: number } | undefined;

  async function pass(term: string, signal: AbortSignal): Promise<PruneReport> {
    const [[now = ''] = []] = await session.query(statements.clockMs);
    const beganAtMs = Number(now);
    const known = judged?.term === term && beganAtMs - judged.wholeAtMs < judgeAnewMs ? judged : undefined;
    const rest = (tookMs: number): Promise<void> => pause(tookMs, signal);
    const report = await prune(
      { session, statements, schema, signal, batch: config.batch, runs: config.runs, term, rest },
      config.rules,
      known?.beganAtMs,
    );
    await prunePayloads(signal);
    if (!signal.aborted) judged = { term, wholeAtMs: known?.wholeAtMs ?? beganAtMs, beganAtMs };
    return report;
  }

  /** Where their store is away, jobs and runs are pruned all the same. */
  async function prunePayloads(signal: AbortSignal): Promise<void> {
    try {
      const payloads = await internals.steps.prunePayloads(signal);
      if (payloads > 0) context.log.debug('deleted payloads of runs that are gone', { payloads });
    } catch (error) {
      if (!isLineshaftError(error, 'BLOB_UNAVAILABLE')) throw error;
      context.log.warn(error.message);
    }
  }

  function pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const takeBack = clock.after(ms, done);
      signal.addEventListener('abort', done, { once: true });
      function done(): void {
        takeBack();
        signal.removeEventListener('abort', done);
        resolve();
      }
    });
  }

  const loop = context.loop({
    async round(signal) {
      const { term } = leadership;
      if (term === undefined) return notLeadingMs;
      const waitMs = passAtMs + config.intervalMs - clock.monotonic();
      if (waitMs > 0) return waitMs;
      const startedMs = clock.monotonic();
      const report = await pass(term, signal);
      passAtMs = startedMs;
      context.tell('pruned', report);
      if (report.runs > 0) context.log.debug('forgot runs of workflows', { runs: report.runs });
      if (report.pruned > 0) {
        const { pruned, partitions } = report;
        context.log.debug('forgot finished jobs', { jobs: pruned, partitions: partitions.length });
      }
      return Math.max(passAtMs + config.intervalMs - clock.monotonic(), 1);
    },
  });
  context.onMessage('elected', () => loop.wake());
  return loop;
}
