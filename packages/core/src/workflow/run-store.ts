/**
 * Reads runs and writes what was decided about them: the only way of the workflows to the tables of runs. Two connections,
 * so that who reads never waits behind a write. It decides nothing.
 */

import { LineshaftError } from '../domain/errors.ts';
import type { RunEvent } from '../domain/workflow/decision.ts';
import type { StepDefinition, WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import { type Route, type Row, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { applyValues, type KeptDefinition, type RunChange } from './apply-values.ts';
import type { ClaimBeside } from './claim-beside.ts';
import type { StepOfRun, WrittenRun } from './port.ts';
import { runFromText, stepDefinitions, stepFromText, stepsFromText, writtenStep } from './rows.ts';

/** A run as the database has it now, as far as it was not known. */
export interface LoadedRun {
  readonly id: string;
  readonly revision: number;
  /** undefined: the revision that was known is the present one. */
  readonly run: Run | undefined;
  /** All of its steps, or those that have changed since the revision that was known. */
  readonly steps: readonly Step[];
  readonly whole: boolean;
  readonly marks: readonly Mark[];
  /** Length of what was read, as text. */
  readonly bytes: number;
}

export interface Mark {
  readonly id: number;
  readonly event: RunEvent;
}

/** Definitions of runs that are kept in memory. */
const definitionsMost = 1_000;
/** Definitions of steps that are kept in memory, and their longest text. */
const ownDefinitionsMost = 4_000;
const ownDefinitionLength = 2_000;
/** The last values of `apply_runs.sql` where nothing is claimed. */
const noClaim: readonly null[] = [null, null, null, null, null];
/** Runs that are read by one statement. */
const loadBatch = 200;

export class RunStore {
  private readonly reads: Session;
  private readonly writes: Session;
  private readonly statements: BoundStatements;
  /** By hash, those used last at the end. */
  private readonly definitions = new Map<string, WorkflowDefinition>();
  /** Of steps that came about while their run ran, by text. */
  private readonly ownDefinitions = new Map<string, StepDefinition>();

  constructor(parts: { readonly route: Route; readonly statements: BoundStatements }) {
    this.reads = new Session(parts.route, 'hot');
    this.writes = new Session(parts.route, 'hot');
    this.statements = parts.statements;
  }

  /**
   * Runs that do not exist are left out.
   * @param known by id, the revision that the caller has; 0: none
   * @param withSteps default true
   */
  async load(known: ReadonlyMap<string, number>, withSteps = true): Promise<LoadedRun[]> {
    const ids = [...known.keys()];
    const loaded: LoadedRun[] = [];
    for (let from = 0; from < ids.length; from += loadBatch) {
      const part = ids.slice(from, from + loadBatch);
      const revisions = part.map((id) => known.get(id) ?? 0);
      const rows = await this.reads.query(this.statements.loadRuns, [
        `{${part.join(',')}}`,
        `{${revisions.join(',')}}`,
        withSteps,
      ]);
      await this.fetchDefinitions(rows.map(([, , hash]) => hash ?? ''));
      for (const row of rows) loaded.push(this.loadedRun(row));
    }
    return loaded;
  }

  /** A run with its steps as they are kept; undefined: it does not exist. */
  async written(runId: string): Promise<WrittenRun | undefined> {
    const rows = await this.reads.query(this.statements.showRun, [runId]);
    const [[revision, hash, text] = []] = rows;
    if (text == null) return undefined;
    await this.fetchDefinitions([hash ?? '']);
    const definition = this.definitions.get(hash ?? '');
    if (definition === undefined) throw lostDefinition(runId);
    const known = stepDefinitions(definition);
    return {
      run: runFromText(text, { id: runId.toLowerCase(), revision: Number(revision), definition }),
      steps: rows.flatMap((row) =>
        row[3] == null ? [] : [writtenStep(row.slice(3), known, (own) => this.ownDefinition(own))],
      ),
    };
  }

  /** Steps by their ids, in no order; those that do not exist are left out. */
  async steps(ids: readonly string[]): Promise<StepOfRun[]> {
    const rows = await this.reads.query(this.statements.loadSteps, [`{${ids.join(',')}}`]);
    await this.fetchDefinitions(rows.map(([, hash]) => hash ?? ''));
    return rows.map(([runId, hash, correlationId, priority, step]) => {
      const definition = this.definitions.get(hash ?? '');
      if (runId == null || step == null || definition === undefined) throw lostDefinition(runId ?? '');
      return {
        step: stepFromText(step, definition),
        run: { id: runId, correlationId: correlationId ?? undefined, priority: Number(priority), definition },
      };
    });
  }

  /**
   * Writes all of the changes, or nothing.
   * @param beside what is claimed in the same statement, if it is written
   * @returns the ids of runs that others have changed meanwhile; empty: all is written
   */
  async apply(changes: readonly RunChange[], beside?: ClaimBeside): Promise<readonly string[]> {
    const values = [...applyValues(changes), ...(beside?.values ?? noClaim)];
    const rows = await this.writes.query(this.statements.applyRuns, values);
    const moved = rows[0]?.[0] ?? null;
    if (moved !== null) return moved.slice(1, -1).split(',');
    beside?.taken(rows.filter(([, pair]) => pair != null).map((row) => row.slice(1)));
    for (const { kept } of changes) if (kept !== undefined) this.remember(kept.hash, kept.definition);
    return [];
  }

  /** The definition that runs of this hash share in this process; the given one where there is none yet. */
  shared(kept: KeptDefinition): KeptDefinition {
    const definition = this.definitions.get(kept.hash);
    return definition === undefined ? kept : { ...kept, definition };
  }

  /** Ids of runs that wait for somebody. */
  async due(most: number): Promise<string[]> {
    const rows = await this.reads.query(this.statements.dueRuns, [most]);
    return rows.map(([id]) => id ?? '');
  }

  /** After runs that were due were looked at: what can't be done is not tried again at once. */
  async tidyDue(runIds: readonly string[]): Promise<void> {
    await this.writes.query(this.statements.tidyDueRuns, [`{${runIds.join(',')}}`]);
  }

  /** What steps are given: id, run, input as JSON; in no order, without those that do not exist. */
  async inputs(ids: readonly string[]): Promise<(readonly [id: string, runId: string, input: string])[]> {
    const rows = await this.reads.query(this.statements.loadInputs, [`{${ids.join(',')}}`]);
    return rows.map(([id, runId, input]) => [id ?? '', runId ?? '', input ?? '{}'] as const);
  }

  /** The clock of the database, ms since 1970. */
  async clockMs(): Promise<number> {
    const [[ms = '0'] = []] = await this.reads.query(this.statements.clockMs);
    return Number(ms);
  }

  /** Another whenever a definition has changed. */
  async definitionStamp(): Promise<string> {
    const [[stamp = null] = []] = await this.reads.query(this.statements.definitionStamp);
    return stamp ?? '';
  }

  /** Rows of a statement that only reads. */
  read(statement: BoundStatements[keyof BoundStatements], values: readonly unknown[]): Promise<Row[]> {
    return this.reads.query(statement, values);
  }

  /** Rows of a statement that writes, and is no decision about a run. */
  write(statement: BoundStatements[keyof BoundStatements], values: readonly unknown[]): Promise<Row[]> {
    return this.writes.query(statement, values);
  }

  async close(): Promise<void> {
    await Promise.all([this.reads.close(), this.writes.close()]);
  }

  private loadedRun(row: Row): LoadedRun {
    const [id, revision, hash, run, steps, whole, marks] = row;
    const definition = this.definitions.get(hash ?? '');
    if (id == null || definition === undefined) throw lostDefinition(id ?? '');
    const known = { id, revision: Number(revision), definition };
    return {
      id,
      revision: known.revision,
      run: run == null ? undefined : runFromText(run, known),
      steps: stepsFromText(steps ?? null, definition),
      whole: whole === 't',
      bytes: (run?.length ?? 0) + (steps?.length ?? 0),
      marks: marks == null ? [] : (JSON.parse(marks) as [number, RunEvent][]).map(markOf),
    };
  }

  /** Definitions of runs by their hashes; those that do not exist are left out. */
  async definitionsOf(hashes: readonly string[]): Promise<ReadonlyMap<string, WorkflowDefinition>> {
    await this.fetchDefinitions(hashes);
    const found = new Map<string, WorkflowDefinition>();
    for (const hash of hashes) {
      const definition = this.definitions.get(hash);
      if (definition !== undefined) found.set(hash, definition);
    }
    return found;
  }

  private async fetchDefinitions(hashes: readonly string[]): Promise<void> {
    const missing = new Set<string>();
    for (const hash of hashes) {
      const definition = this.definitions.get(hash);
      if (definition === undefined) missing.add(hash);
      else this.remember(hash, definition);
    }
    if (missing.size === 0) return;
    const found = await this.reads.query(this.statements.loadDefinitions, [`{${[...missing].join(',')}}`]);
    for (const [hash, text] of found)
      this.remember(hash ?? '', JSON.parse(text ?? 'null') as WorkflowDefinition);
  }

  /** The same object for the same text, so that what others make of it is made once. */
  private ownDefinition(text: string): StepDefinition {
    let definition = this.ownDefinitions.get(text);
    if (definition !== undefined) return definition;
    definition = JSON.parse(text) as StepDefinition;
    if (this.ownDefinitions.size >= ownDefinitionsMost) this.ownDefinitions.clear();
    if (text.length <= ownDefinitionLength) this.ownDefinitions.set(text, definition);
    return definition;
  }

  private remember(hash: string, definition: WorkflowDefinition): void {
    this.definitions.delete(hash);
    this.definitions.set(hash, definition);
    if (this.definitions.size <= definitionsMost) return;
    for (const oldest of this.definitions.keys()) {
      this.definitions.delete(oldest);
      break;
    }
  }
}

function markOf([id, event]: readonly [number, RunEvent]): Mark {
  return { id, event };
}

function lostDefinition(runId: string): LineshaftError {
  return new LineshaftError('RUN_NOT_FOUND', { message: `the definition of run '${runId}' is not there` });
}
