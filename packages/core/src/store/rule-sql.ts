/**
 * Compiles rules to SQL. Values become parameters, never text. A rule is compiled three ways: whether a job fits
 * (`matches`, over the columns of `f`), and for a batch of history, from what its row says of itself (`h`), whether
 * all its jobs surely fit (`covers`) and whether any may (`mayMatch`). The marks in the statements say where which goes.
 */

import { durationOf, matches as matchesJob } from '../domain/rule-match.ts';
import type { Comparison, RuleNode } from '../domain/rules.ts';
import { bindSchema } from './schema-name.ts';
import type { Statement } from './session.ts';

/** A finished job: those that finished later, or with it and have a larger id, are spared. */
export interface UpTo {
  readonly at: string;
  readonly id: string;
}

export interface RuleBinding {
  /** The schema of the installation. */
  readonly schema: string;
  readonly rule: RuleNode;
  readonly upTo?: UpTo | undefined;
  /** Batches that finished no later were judged before, and time has changed nothing about them. */
  readonly after?: string | undefined;
  /** What stands for now. Default: the database's clock. For tests. */
  readonly clock?: string;
}

/** A statement with a rule in the place of its marks, and the values of all its parameters. */
export interface RuledStatement {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

const marks = /(?:true|false) \/\* rule (matches|covers|may match) \*\//g;

/** Puts rules into a statement that has marks: a job that fits any of them fits. Without rules none does. */
export function withRules(
  statement: Statement,
  values: readonly unknown[],
  bindings: readonly RuleBinding[],
): RuledStatement {
  const all = [...values];
  const text = statement.text.replaceAll(marks, (_mark, how: string) => {
    const alternatives = bindings.map((binding) => {
      const compiler = new RuleCompiler(all, binding.clock);
      const { rule, upTo, after } = binding;
      if (how === 'matches') return compiler.matches(rule, upTo);
      return how === 'covers' ? compiler.covers(rule, upTo) : compiler.mayMatch(rule, upTo, after);
    });
    return alternatives.length === 0 ? 'false' : alternatives.map((each) => `(${each})`).join(' or ');
  });
  const [first] = bindings;
  // Each set of rules is another text, so it is not prepared by name.
  return {
    statement: { name: '', text: first === undefined ? text : bindSchema(text, first.schema) },
    values: all,
  };
}

export class RuleCompiler {
  private readonly values: unknown[];
  private readonly clock: string;

  /** @param values of the parameters so far; those of the rule are added to it */
  constructor(values: unknown[], clock = 'now()') {
    this.values = values;
    this.clock = clock;
  }

  /** Whether the job `f` fits. Never null. */
  matches(rule: RuleNode, upTo?: UpTo): string {
    const fits = this.combine(
      rule,
      (each) => this.matches(each),
      (leaf) => this.matchesLeaf(leaf),
    );
    if (upTo === undefined) return fits;
    const [at, id] = [this.value(upTo.at, 'timestamptz'), this.value(upTo.id, 'uuid')];
    return `${fits} and (f.finished_at, f.id) <= (${at}, ${id})`;
  }

  /** Whether all jobs of the batch `h` surely fit. */
  covers(rule: RuleNode, upTo?: UpTo): string {
    const bound = upTo === undefined ? '' : ` and h.finished_at < ${this.value(upTo.at, 'timestamptz')}`;
    return this.ofBatch(rule, 'all') + bound;
  }

  /** Whether any job of the batch `h` may fit. */
  mayMatch(rule: RuleNode, upTo?: UpTo, after?: string): string {
    const last = upTo === undefined ? '' : ` and h.finished_at <= ${this.value(upTo.at, 'timestamptz')}`;
    const first = after === undefined ? '' : ` and h.finished_at > ${this.value(after, 'timestamptz')}`;
    return this.ofBatch(rule, 'any') + last + first;
  }

  private ofBatch(rule: RuleNode, how: 'all' | 'any'): string {
    if (onlyOfLanes(rule)) return this.lanes(rule, how);
    if ('not' in rule) return `(not ${this.ofBatch(rule.not, how === 'all' ? 'any' : 'all')})`;
    return this.combine(
      rule,
      (each) => this.ofBatch(each, how),
      (leaf) => this.batchLeaf(leaf, how),
    );
  }

  private combine(
    rule: RuleNode,
    each: (rule: RuleNode) => string,
    leaf: (comparison: Comparison) => string,
  ): string {
    if ('and' in rule) return `(${rule.and.map(each).join(' and ')})`;
    if ('or' in rule) return `(${rule.or.map(each).join(' or ')})`;
    if ('not' in rule) return `(not ${each(rule.not)})`;
    return leaf(rule);
  }

  private matchesLeaf(leaf: Comparison): string {
    switch (leaf.field) {
      case 'age':
        return `coalesce(f.created_at ${this.beyond(leaf)}, false)`;
      case 'finishedAge':
        return `coalesce(f.finished_at ${this.beyond(leaf)}, false)`;
      case 'label':
        return this.compared(`(f.labels ->> ${this.value(leaf.name, 'text')})`, leaf, 'text');
      case 'size':
      case 'attempts':
      case 'priority':
        return this.compared(`f.${leaf.field}`, leaf, 'bigint');
      default:
        return this.compared(`f.${leaf.field}`, leaf, 'text');
    }
  }

  private compared(column: string, { op, value }: Comparison, type: 'text' | 'bigint'): string {
    if (op === 'ne') return `(${column} is distinct from ${this.value(value, type)})`;
    const condition =
      op === 'in' ? `= any (${this.value(value, `${type}[]`)})` : `${signs[op]} ${this.value(value, type)}`;
    return `coalesce(${column} ${condition}, false)`;
  }

  /** Older than a duration is: before a time. */
  private beyond(leaf: Comparison): string {
    const then = `${this.clock} - ${this.value(durationOf(leaf), 'double precision')} * interval '1 millisecond'`;
    return `${turned[leaf.op as keyof typeof turned]} (${then})`;
  }

  /**
   * What a batch says of one comparison. A batch is as old as its youngest or its oldest job, as it suits; what its row
   * does not know, all jobs may fit and no batch is covered by.
   */
  private batchLeaf(leaf: Comparison, how: 'all' | 'any'): string {
    switch (leaf.field) {
      case 'finishedAge':
        return `(h.finished_at ${this.beyond(leaf)})`;
      case 'age': {
        const older = leaf.op === 'gt' || leaf.op === 'gte';
        const last = older === (how === 'all');
        const made = last ? 'coalesce(h.created_to, h.finished_at)' : "coalesce(h.created_from, '-infinity')";
        return `(${made} ${this.beyond(leaf)})`;
      }
      case 'state':
        return `(case when h.outcome is null then ${how === 'any'} else ${this.compared('h.outcome', leaf, 'text')} end)`;
      default:
        return how === 'any' ? 'true' : 'false';
    }
  }

  /**
   * A rule that speaks only of queue, kind and project picks lanes. Jobs of lanes that are gone have none of these, so
   * where the rule fits nothing-known it is the other lanes that are picked.
   */
  private lanes(rule: RuleNode, how: 'all' | 'any'): string {
    const fitsUnknown = matchesJob(rule, nothingKnown, 0);
    const picked = this.matches(fitsUnknown ? { not: rule } : rule);
    const lanes =
      'array(select f.id from (select l.id, l.kind, q.name as queue, p.name as project from lineshaft.lane l ' +
      'join lineshaft.queue q on q.id = l.queue_id join lineshaft.project p on p.id = q.project_id) f ' +
      `where ${picked})`;
    if (how === 'all') return fitsUnknown ? `(not h.lanes && ${lanes})` : `(h.lanes <@ ${lanes})`;
    return fitsUnknown ? `(not h.lanes <@ ${lanes})` : `(h.lanes && ${lanes})`;
  }

  private value(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

const signs = { eq: '=', like: 'like', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;
const turned = { gt: '<', gte: '<=', lt: '>', lte: '>=' } as const;
const nothingKnown = { createdMs: 0, state: '', labels: {}, sizeBytes: 0, attempts: 0 };

function onlyOfLanes(rule: RuleNode): boolean {
  if ('and' in rule) return rule.and.every(onlyOfLanes);
  if ('or' in rule) return rule.or.every(onlyOfLanes);
  if ('not' in rule) return onlyOfLanes(rule.not);
  return rule.field === 'queue' || rule.field === 'kind' || rule.field === 'project';
}
