/**
 * Compiles searches to SQL. Values become parameters, never text; names of columns come from the tables here. The marks in
 * the statements say where conditions and orders go.
 */

import type { SearchCondition, SearchTree, SortKey } from '../domain/workflow/search-query.ts';
import { bindSchema } from './schema-name.ts';
import type { Statement } from './session.ts';

/** A statement with a search in the place of its marks, and the values of all its parameters. */
export interface SearchStatement {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

/** What is searched: `runs` (as `r`), `steps` (as `s`), or what schedules have started (as `e`). */
export type Searched = 'runs' | 'steps' | 'executions';

/** Conditions that are no part of the query's text. */
export interface SearchScope {
  /** Only these runs: those with the words of the free text, where they are few. */
  readonly ids?: readonly string[] | undefined;
  /** Only runs that no step of another has started. */
  readonly topLevelOnly?: boolean | undefined;
  /** Of the definition of the run, in its metadata. */
  readonly classifier?: string | undefined;
}

/** Puts a search into a statement. @param values of the statement's own parameters */
export function withSearch(
  schema: string,
  statement: Statement,
  values: readonly unknown[],
  what: { searched: Searched; tree: SearchTree; scope?: SearchScope },
): SearchStatement {
  const compiler = new SearchCompiler(what.searched, [...values]);
  const conditions = compiler.conditions(what.tree, what.scope ?? {});
  const text = statement.text
    .replaceAll('true /* search conditions */', () => conditions)
    .replaceAll(/(\w)\.\w+ desc \/\* (?:search|page) order \*\//g, (usual: string, alias: string) =>
      compiler.order(what.tree.sort, usual, alias),
    );
  // Each search is another text, so it is not prepared by name.
  return { statement: { name: '', text: bindSchema(text, schema) }, values: compiler.values };
}

type Columns = Readonly<Partial<Record<string, string>>>;

const runColumns: Columns = {
  workflowId: 'r.id',
  correlationId: 'r.correlation_id',
  workflowType: 'r.name',
  version: 'r.version',
  status: 'r.status',
  startTime: 'r.created_at',
  endTime: 'r.ended_at',
  updateTime: 'r.updated_at',
  parentWorkflowId: 'r.parent_run',
  classifier: 'r.definition',
};

const stepColumns: Columns = {
  workflowId: 's.run_id',
  taskId: 's.id',
  taskType: 's.type',
  taskDefName: 's.name',
  status: 's.status',
  scheduledTime: 's.scheduled_at',
  startTime: 's.started_at',
  endTime: 's.ended_at',
  updateTime: 's.updated_at',
};

const executionColumns: Columns = {
  executionId: 'e.id',
  workflowId: 'e.id',
  scheduleName: 'e.schedule',
  workflowName: 'e.workflow',
  workflowType: 'e.workflow',
  state: 'e.state',
  status: 'e.state',
  scheduledTime: 'e.tick',
  executionTime: 'e.at',
  startTime: 'e.at',
};

const columnsOf = { runs: runColumns, steps: stepColumns, executions: executionColumns } as const;

/** Statuses of steps that have not ended: few of all, and all in runs that have not ended. */
const openStatuses = new Set(['SCHEDULED', 'IN_PROGRESS']);

class SearchCompiler {
  readonly values: unknown[];
  private readonly searched: Searched;

  constructor(searched: Searched, values: unknown[]) {
    this.searched = searched;
    this.values = values;
  }

  conditions(tree: SearchTree, scope: SearchScope): string {
    const parts = tree.conditions
      .filter(({ field }) => this.searched !== 'runs' || field !== 'status')
      .map((condition) => this.condition(condition));
    if (scope.ids !== undefined) parts.push(`r.id = any (${this.value(scope.ids, 'uuid[]')})`);
    if (this.searched === 'executions' && tree.words.length > 0) parts.push(this.words(tree.words));
    if (scope.topLevelOnly === true) parts.push(this.ofRun('r.parent_run is null'));
    if (scope.classifier !== undefined) parts.push(this.ofRun(this.classified([scope.classifier])));
    return parts.length === 0 ? 'true' : parts.join(' and ');
  }

  /** Of the columns that `searched` has; others are left out, and without any it is the usual order. */
  order(sort: readonly SortKey[], usual: string, alias: string): string {
    const columns = columnsOf[this.searched];
    const keys = sort.flatMap(({ field, descending }) => {
      const column = orderColumn(this.searched, field, columns[field]);
      if (column === undefined) return [];
      // As the index by name has it.
      if (column === 'name') return [`${alias}.name using ${descending ? '~>~' : '~<~'}`];
      return [`${alias}.${column} ${descending ? 'desc nulls last' : 'asc nulls first'}`];
    });
    return keys.length === 0 ? usual : keys.join(', ');
  }

  private condition(condition: SearchCondition): string {
    const { field } = condition;
    if (this.searched === 'executions') return this.ofColumn(executionColumns[field] ?? '', condition);
    if (this.searched === 'runs') {
      const column = runColumns[field];
      if (column !== undefined) return this.ofColumn(column, condition);
      return `exists (select from lineshaft.step s where s.run_id = r.id and ${this.ofColumn(stepColumns[field] ?? '', condition)})`;
    }
    const column = stepColumns[field];
    if (column === undefined) return this.ofRun(this.ofColumn(runColumns[field] ?? '', condition));
    const own = this.ofColumn(column, condition);
    if (field === 'status' && condition.values.every((value) => openStatuses.has(value))) {
      return `${own} and s.run_id in (select a.id from lineshaft.run a where a.ended_at is null)`;
    }
    // Steps of workers are named as their type, and only the others are in the index by name.
    if (field === 'taskDefName')
      return `(${own} and s.name <> s.type or ${this.ofColumn('s.type', condition)} and s.name = s.type)`;
    return own;
  }

  private ofColumn(column: string, { type, op, values }: SearchCondition): string {
    const [first = ''] = values;
    if (column === 'r.definition') return this.classified(values);
    if (op === 'like') return `${column} like ${this.value(likeOf(first), 'text')}`;
    if (type === 'time') return this.ofTime(column, op, values);
    const sqlType = sqlTypes[type];
    if (op === 'in') return `${column} = any (${this.value(values, `${sqlType}[]`)})`;
    return `${column} ${signs[op]} ${this.value(first, sqlType)}`;
  }

  /** Times have microseconds in the database and milliseconds here, so that `=` means a millisecond. */
  private ofTime(column: string, op: SearchCondition['op'], values: readonly string[]): string {
    const at = (value: string, plusMs = 0) =>
      `to_timestamp(${this.value(Number(value) + plusMs, 'double precision')} / 1000)`;
    const [first = ''] = values;
    // What has ended is not written again: so the index of when runs ended serves here too.
    const bound = (than: string) =>
      column === 'r.updated_at'
        ? `r.updated_at ${than} and (r.ended_at is null or r.ended_at ${than})`
        : `${column} ${than}`;
    if (op === 'gt') return `(${bound(`>= ${at(first, 1)}`)})`;
    if (op === 'lt') return `(${bound(`< ${at(first)}`)})`;
    const each = values.map((value) => `${column} >= ${at(value)} and ${column} < ${at(value, 1)}`);
    return `(${each.join(' or ')})`;
  }

  /** What a definition says of itself in its metadata. */
  private classified(values: readonly string[]): string {
    const wanted = this.value(values, 'text[]');
    return `r.definition in (select d.hash from lineshaft.run_definition d where d.definition #>> '{metadata,classifier}' = any (${wanted}))`;
  }

  /** Of the names of a schedule and its workflow; words of runs and steps are not looked for by SQL. */
  private words(words: readonly string[]): string {
    const query = `lineshaft.words_query(${this.value(words, 'text[]')})`;
    return `to_tsvector('simple', concat_ws(' ', e.schedule, e.workflow)) @@ ${query}`;
  }

  private ofRun(condition: string): string {
    if (this.searched === 'runs') return condition;
    return `exists (select from lineshaft.run r where r.id = s.run_id and ${condition})`;
  }

  private value(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

const signs = { eq: '=', gt: '>', lt: '<' } as const;

const sqlTypes = { id: 'uuid', number: 'bigint', text: 'text' } as const;

function likeOf(value: string): string {
  return value.replaceAll(/[\\%_]/g, '\\$&').replaceAll(/\*+/g, '%');
}

/** Without its alias. Steps in the order of their ids are in that of their scheduling, and that has an index. */
function orderColumn(searched: Searched, field: string, column: string | undefined): string | undefined {
  if (searched === 'steps' && field === 'scheduledTime') return 'id';
  return column?.slice(2);
}
