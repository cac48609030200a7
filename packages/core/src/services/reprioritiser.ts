/**
 * Raises the priority of jobs that wait and fit a rule, so that what has waited long is not passed over for ever. While
 * its worker leads it goes once through the jobs in every interval, a bounded number at a time, and keeps in the
 * database how far it has come: a job rises at most once per interval, whoever leads.
 */

import { invalidOption } from '../domain/errors.ts';
import { boundedText, fieldsOf, refuseUnknown, wholeNumber } from '../domain/fields.ts';
import { type RuleLike, type RuleNode, ruleOf } from '../domain/rules.ts';
import type { StandardSchema } from '../domain/standard-schema.ts';
import { definePlugin, type Plugin, type ServiceContext } from '../plugin.ts';
import { withRules } from '../store/rule-sql.ts';
import type { Service } from './service.ts';

export interface ReprioritiserConfig {
  /** Which of the waiting jobs (`ready`, `scheduled`, `retrying`) rise. */
  readonly rule: RuleLike;
  /** Tells several of them apart; lower-case letters, digits and `-`. Default: there is but one. */
  readonly name?: string;
  /** By how much a job rises each time; 1 to 1,000. Default 1. */
  readonly by?: number;
  /** No job rises higher; −32768 to 32767. Default 100. */
  readonly max?: number;
  /** How often a job may rise; 1 s to 1 day. Default 5 min. */
  readonly intervalMs?: number;
  /** How many jobs one statement looks at; 1 to 100,000. Default 1,000. */
  readonly batch?: number;
}

interface CheckedConfig {
  readonly rule: RuleNode;
  readonly by: number;
  readonly max: number;
  readonly intervalMs: number;
  readonly batch: number;
}

/** Who does not lead only looks at its own memory so often. */
const notLeadingMs = 1_000;
const longestSleepMs = 60_000;

/**
 * A service that lets waiting jobs rise.
 *
 * @throws OPTION_INVALID, OPTION_UNKNOWN with the place in the rule
 * @example new Lineshaft({ plugins: [reprioritiser({ rule: age().gt('10m').and(queue.eq('mail')), by: 1, max: 50 })] })
 */
export function reprioritiser(config: ReprioritiserConfig): Plugin {
  const { name, ...rest } = fieldsOf(config, 'reprioritiser');
  const suffix = name === undefined ? '' : `-${boundedText(name, 'name', 1, 30)}`;
  const make = definePlugin({
    name: `reprioritiser${suffix}`,
    dependsOn: ['leader'],
    config: schemaOf(),
    service: createReprioritiser,
  });
  return make(rest as unknown as ReprioritiserConfig);
}

function schemaOf(): StandardSchema<ReprioritiserConfig, CheckedConfig> {
  return {
    '~standard': {
      version: 1,
      vendor: 'lineshaft',
      validate(given) {
        const fields = fieldsOf(given, 'reprioritiser');
        refuseUnknown(fields, ['rule', 'by', 'max', 'intervalMs', 'batch']);
        const { rule, by = 1, max = 100, intervalMs = 300_000, batch = 1_000 } = fields;
        if (rule === undefined) throw invalidOption('rule', rule, 'a rule: which jobs rise');
        return {
          value: {
            rule: ruleOf(rule, 'rule', 'waiting').node,
            by: wholeNumber(by, 'by', 1, 1_000),
            max: wholeNumber(max, 'max', -32_768, 32_767),
            intervalMs: wholeNumber(intervalMs, 'intervalMs', 1_000, 86_400_000),
            batch: wholeNumber(batch, 'batch', 1, 100_000),
          },
        };
      },
    },
  };
}

function createReprioritiser(context: ServiceContext<CheckedConfig>): Service {
  const { leadership, config, plugin } = context;
  const { slowSession: session, statements, schema } = context.internals;
  const { rule, by, max, intervalMs, batch } = config;

  /** One statement's worth of jobs, in one transaction with how far it has come. */
  function step(term: string): Promise<{ over: boolean; waitMs: number; raised: number }> {
    return session.transaction(async (run) => {
      const [[behind = null, waitMs = null] = []] = await run(statements.beginRise, [
        plugin,
        intervalMs,
        term,
      ]);
      if (behind === null) return { over: true, waitMs: Number(waitMs), raised: 0 };
      const ruled = withRules(statements.raisePriorities, [behind, batch, by, max], [{ schema, rule }]);
      const [[next = null, raised = '0', queues = null] = []] = await run(ruled.statement, ruled.values);
      if (queues !== null) await run(statements.wakeQueues, [queues, 'always']);
      await run(statements.saveRise, [plugin, next]);
      return { over: next === null, waitMs: Number(waitMs), raised: Number(raised) };
    });
  }

  const loop = context.loop({
    async round(signal) {
      const { term } = leadership;
      if (term === undefined) return notLeadingMs;
      let jobs = 0;
      while (!signal.aborted) {
        const { over, waitMs, raised } = await step(term);
        jobs += raised;
        if (!over) continue;
        if (jobs > 0) {
          context.log.debug('raised waiting jobs', { plugin, jobs });
          context.tell('raised', { plugin, jobs });
        }
        return Math.min(Math.max(waitMs, 1), longestSleepMs);
      }
      return notLeadingMs;
    },
  });
  context.onMessage('elected', () => loop.wake());
  return loop;
}
