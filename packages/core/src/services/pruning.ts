/** Pruning on demand: what the command `lineshaft prune` and programs do beside the service. */

import type { Clock } from '../domain/clock.ts';
import { invalidOption } from '../domain/errors.ts';
import { fieldsOf, refuseUnknown, wholeNumber } from '../domain/fields.ts';
import { type Rule, type RuleLike, ruleOf } from '../domain/rules.ts';
import type { RunRetention } from '../domain/workflow/run-retention.ts';
import { type Route, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import {
  countPrunable,
  type PruneContext,
  type PruneGroup,
  type PruneProgress,
  type PruneReport,
  prune,
} from './prune.ts';
import { checkRunRetention } from './prune-runs.ts';

/** Rules by which finished jobs are forgotten; those that are past their time, or too many, are forgotten anyway. */
export interface PruneRules {
  /** Jobs that fit are forgotten. Not together with `rules`. */
  readonly rule?: RuleLike;
  /** Jobs that fit any of these are forgotten; at most 100. */
  readonly rules?: readonly RuleLike[];
}

export interface PruneOptions extends PruneRules {
  /** How many jobs one statement looks at, about; 1 to 100,000. Default 10,000. */
  readonly batch?: number;
  /** How long runs of workflows are kept whose definition says nothing of it. Default for ever. */
  readonly runs?: RunRetention;
  /** Rest after each statement for as long as it took, as the service does. Default false. */
  readonly gentle?: boolean;
  /** Ends it between two statements. */
  readonly signal?: AbortSignal;
  /** Told after each statement, with the number of jobs that there were to look through when it began. */
  readonly onProgress?: (progress: PruneProgress & { readonly total: number }) => void;
}

const names = ['rule', 'rules', 'batch', 'runs', 'gentle', 'signal', 'onProgress'];
const maxRules = 100;
const defaultBatch = 10_000;

/** The rules of an option, checked. @throws OPTION_INVALID, OPTION_UNKNOWN with the place in the rule */
export function checkPruneRules(given: PruneRules): Rule[] {
  const { rule, rules } = given;
  if (rule !== undefined && rules !== undefined)
    throw invalidOption('rules', rules, "left out, as 'rule' is given");
  if (rule !== undefined) return [ruleOf(rule, 'rule', 'finished')];
  if (rules === undefined) return [];
  if (!Array.isArray(rules) || rules.length > maxRules)
    throw invalidOption('rules', rules, `a list of at most ${maxRules} rules`);
  return rules.map((each, n) => ruleOf(each, `rules[${n}]`, 'finished'));
}

/** How many jobs one statement looks at. @throws OPTION_INVALID */
export function checkBatch(batch: unknown): number {
  return batch === undefined ? defaultBatch : wholeNumber(batch, 'batch', 1, 100_000);
}

export class Pruning {
  private readonly route: Route;
  private readonly statements: BoundStatements;
  private readonly schema: string;
  private readonly clock: Clock;

  constructor(parts: { route: Route; statements: BoundStatements; schema: string; clock: Clock }) {
    const { route, statements, schema, clock } = parts;
    this.clock = clock;
    this.route = route;
    this.statements = statements;
    this.schema = schema;
  }

  prune(options: PruneOptions): Promise<PruneReport> {
    return this.withContext(options, (context, rules) =>
      prune(
        context,
        rules.map(({ node }) => node),
      ),
    );
  }

  count(options: PruneOptions): Promise<PruneGroup[]> {
    return this.withContext(options, (context, rules) =>
      countPrunable(
        context,
        rules.map(({ node }) => node),
      ),
    );
  }

  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(ms, resolve));
  }

  private async withContext<Result>(
    options: PruneOptions,
    work: (context: PruneContext, rules: readonly Rule[]) => Promise<Result>,
  ): Promise<Result> {
    refuseUnknown(fieldsOf(options, 'options'), names);
    const rules = checkPruneRules(options);
    const batch = checkBatch(options.batch);
    const runs = checkRunRetention(options.runs);
    const { onProgress } = options;
    const session = new Session(this.route, 'plain');
    try {
      const [[jobs = '0'] = []] =
        onProgress === undefined ? [] : await session.query(this.statements.historyTotals);
      const context: PruneContext = {
        session,
        statements: this.statements,
        schema: this.schema,
        signal: options.signal ?? new AbortController().signal,
        batch,
        runs,
        term: null,
        ...(options.gentle === true ? { rest: (ms) => this.rest(ms) } : {}),
        ...(onProgress === undefined
          ? {}
          : { onProgress: (progress) => onProgress({ ...progress, total: Number(jobs) }) }),
      };
      return await work(context, rules);
    } finally {
      await session.close();
    }
  }
}
