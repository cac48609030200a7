/**
 * Reads runs and writes what was decided about them: the only way of the workflows to the tables of runs. Three connections: who
 * reads never waits behind a write, and while one write waits for its commit the next is carried out. It decides nothing.
 */

import { LineshaftError } from '../domain/errors.ts';
import type { RunEvent } from '../domain/workflow/decision.ts';
import type { StepDefinition, WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { Run, Step } from '../domain/workflow/run.ts';
import { type Route, type Row, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { applyValues, type KeptDefinition, type RunChange } from './apply-values.ts';
import type { ClaimBeside } from './claim-beside.ts';
import type { Handing } from './handing.ts';
import { KeptApart, type KeptApartParts } from './kept-apart.ts';
import type { StepOfRun, WrittenRun } from './port.ts';
import { runFromText, stepDefinitions, stepFromText, stepsFromText, writtenStep } from './rows.ts';
import { wholeDocuments, wholeValues } from './whole-documents.ts';

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
  /** Why its documents can't be had: it can't be decided on now. */
  readonly trouble?: unknown;
}

/** How many steps a run has made, and how much room their documents and those of the run take in the database. */
export interface RunSize {
  readonly steps: number;
  readonly bytes: number;
}

const nothingIsSmall: RunSize = { steps: 0, bytes: 0 };

/** `input`: as JSON; undefined: left out. */
export type StepInput = readonly [id: string, runId: string, input: string | undefined];

export interface Mark {
  readonly id: number;
  readonly event: RunEvent;
}

/** Why changes were not written: of which runs. */
export interface Unwritten {
  /** Others were faster. */
  readonly moved: readonly string[];
  /** There is no room under the limit of their workflow. */
  readonly refused: readonly string[];
}

const noPayloads: Omit<KeptApartParts, 'note'> = {
  blobs: undefined,
  thresholds: { runInput: 0, runOutput: 0, stepInput: 0, stepOutput: 0 },
  maxBytes: 0,
  newId: () => '',
  onTrouble: () => {},
};
const written: Unwritten = { moved: [], refused: [] };
/** Leads the ids of those that were refused (`apply_runs`). */
const refusedFirst = '00000000-0000-0000-0000-000000000000';
/** Definitions of runs that are kept in memory. */
const definitionsMost = 1_000;
/** Definitions of steps that are kept in memory, and their longest text. */
const ownDefinitionsMost = 4_000;
const ownDefinitionLength = 2_000;
/** The values of `apply_runs.sql` for `claim_remote`, where nothing is claimed. */
const noClaim: readonly null[] = [null, null, null, null, null];
/** Where `apply_runs.sql` answers for steps that are handed on. */
const leaseColumn = 11;
/** Runs that are read by one statement. */
const loadBatch = 200;

export class RunStore {
  private readonly reads: Session;
  private readonly writes: Session;
  /** For what is decided while that one is busy. */
  private readonly writesBeside: Session;
  private readonly statements: BoundStatements;
  private readonly apart: KeptApart;
  /** By hash, those used last at the end. */
  private readonly definitions = new Map<string, WorkflowDefinition>();
  /** Of steps that came about while their run ran, by text. */
  private readonly ownDefinitions = new Map<string, StepDefinition>();

  /** @param parts.payloads absent: nothing is kept apart from its row */
  constructor(parts: {
    readonly route: Route;
    readonly statements: BoundStatements;
    readonly payloads?: Omit<KeptApartParts, 'note'>;
  }) {
    this.reads = new Session(parts.route, 'hot');
    this.writes = new Session(parts.route, 'hot');
    this.writesBeside = new Session(parts.route, 'hot');
    this.statements = parts.statements;
    const { keepPayloads } = this.statements;
    this.apart = new KeptApart({
      ...(parts.payloads ?? noPayloads),
      note: async (paths, runIds) => {
        await this.writes.query(keepPayloads, [paths, runIds]);
      },
    });
  }

  /**
   * Runs that do not exist are left out.
   * @param known by id, the revision that the caller has; 0: none
   * @param wanted.steps default true; `documents`: also those that are kept apart from their rows, default true
   */
  async load(
    known: ReadonlyMap<string, number>,
    { steps = true, documents = true }: { readonly steps?: boolean; readonly documents?: boolean } = {},
  ): Promise<LoadedRun[]> {
    const ids = [...known.keys()];
    const loaded: LoadedRun[] = [];
    for (let from = 0; from < ids.length; from += loadBatch) {
      const part = ids.slice(from, from + loadBatch);
      const revisions = part.map((id) => known.get(id) ?? 0);
      const rows = await this.reads.query(this.statements.loadRuns, [
        `{${part.join(',')}}`,
        `{${revisions.join(',')}}`,
        steps,
      ]);
      await this.fetchDefinitions(rows.map(([, , hash]) => hash ?? ''));
      for (const row of rows) {
        const run = this.loadedRun(row);
        loaded.push(documents ? await this.filled(run) : run);
      }
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
    const run = runFromText(text, { id: runId.toLowerCase(), revision: Number(revision), definition });
    const steps = rows.flatMap((row) =>
      row[3] == null ? [] : [writtenStep(row.slice(3), known, (own) => this.ownDefinition(own))],
    );
    return {
      run: await this.apart.fillRun(run),
      steps: await this.apart.fillTexts(wholeDocuments(run, steps), run.id),
    };
  }

  /** Steps by their ids, in no order; those that do not exist are left out. */
  async steps(ids: readonly string[]): Promise<StepOfRun[]> {
    const rows = await this.reads.query(this.statements.loadSteps, [`{${ids.join(',')}}`]);
    await this.fetchDefinitions(rows.map(([, hash]) => hash ?? ''));
    const found = rows.map(([runId, hash, correlationId, priority, step]) => {
      const definition = this.definitions.get(hash ?? '');
      if (runId == null || step == null || definition === undefined) throw lostDefinition(runId ?? '');
      return {
        step: stepFromText(step, definition),
        run: { id: runId, correlationId: correlationId ?? undefined, priority: Number(priority), definition },
      };
    });
    return await Promise.all(
      found.map(async ({ step, run }) => ({ step: await this.whole(step, run.id), run })),
    );
  }

  /** A step of a run, as its row has it, with its documents. @throws LineshaftError BLOB_UNAVAILABLE, BLOB_NOT_FOUND */
  async whole(step: Step, runId: string): Promise<Step> {
    const [filled = step] = await this.apart.fillSteps([step], runId);
    return filled;
  }

  /** A step from memory, as it is shown. */
  shown(step: Step, runId: string): Step {
    return this.apart.shown(step, runId);
  }

  /** With documents that are kept apart. What can't be had is the trouble of this run alone. */
  private async filled(loaded: LoadedRun): Promise<LoadedRun> {
    try {
      const [run, steps] = await Promise.all([
        loaded.run === undefined ? undefined : this.apart.fillRun(loaded.run),
        this.apart.fillSteps(loaded.steps, loaded.id),
      ]);
      return { ...loaded, run, steps };
    } catch (trouble) {
      return { ...loaded, trouble };
    }
  }

  /**
   * Writes all of the changes, or nothing.
   * @param beside what is claimed in the same statement, if it is written
   * @param handing what is handed on in it
   * @returns the ids of runs that others have changed meanwhile, or of such as found no room under their limit; none at all:
   * it is written
   */
  async apply(changes: readonly RunChange[], beside?: ClaimBeside, handing?: Handing): Promise<Unwritten> {
    let applied = applyValues(changes, this.apart, handing);
    if (applied.large.length > 0) {
      await this.apart.keep(applied.large);
      // Not in its row after all: a document may be that of the run, too, which is kept apart where the step's is not.
      for (const { origins } of changes) origins.clear();
      applied = applyValues(changes, this.apart, handing);
    }
    const { values, last, finished } = applied;
    const claim = beside?.values ?? noClaim;
    const session = this.writes.isBusy ? this.writesBeside : this.writes;
    const rows = await session.query(this.statements.applyRuns, [...values, ...claim, ...last]);
    const told = rows[0]?.[0] ?? null;
    if (told !== null) {
      const ids = told.slice(1, -1).split(',');
      return ids[0] === refusedFirst ? { moved: [], refused: ids.slice(1) } : { moved: ids, refused: [] };
    }
    for (const lease of finished) lease.isGone = true;
    handing?.written([rows[0]?.[leaseColumn] ?? null, rows[0]?.[leaseColumn + 1] ?? null]);
    beside?.taken(rows.filter(([, pair]) => pair != null).map((row) => row.slice(1)));
    for (const { kept } of changes) if (kept !== undefined) this.remember(kept.hash, kept.definition);
    return written;
  }

  /** Resolves when what is to be written has left this process: large statements go in pieces (`Session.sent`, 50 ms at most). */
  async sent(): Promise<void> {
    await this.writes.sent();
    await this.writesBeside.sent();
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

  /**
   * What steps are given: id, run, input as JSON; in no order, without those that do not exist or can't be had.
   * @param small inputs are left out (undefined) of runs that are no larger. Default: none are
   */
  async inputs(ids: readonly string[], small: RunSize = nothingIsSmall): Promise<StepInput[]> {
    const rows = await this.reads.query(this.statements.loadInputs, [
      `{${ids.join(',')}}`,
      small.steps,
      small.bytes,
    ]);
    const found = await Promise.all(
      rows.map(async ([id, runId, input, path]): Promise<StepInput[]> => {
        if (id == null || runId == null) return [];
        if (path == null) return [[id, runId, input ?? undefined]];
        const text = await this.apart.tryText(path, runId);
        return text === undefined ? [] : [[id, runId, text]];
      }),
    );
    return found.flat();
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
    await Promise.all([this.reads.close(), this.writes.close(), this.writesBeside.close()]);
  }

  private loadedRun(row: Row): LoadedRun {
    const [id, revision, hash, run, steps, whole, marks] = row;
    const definition = this.definitions.get(hash ?? '');
    if (id == null || definition === undefined) throw lostDefinition(id ?? '');
    const known = { id, revision: Number(revision), definition };
    const read = run == null ? undefined : runFromText(run, known);
    const written = stepsFromText(steps ?? null, definition);
    return {
      id,
      revision: known.revision,
      run: read,
      steps: whole === 't' && read !== undefined ? wholeValues(read, written) : written,
      whole: whole === 't',
      bytes: (run?.length ?? 0) + (steps?.length ?? 0),
      marks: marks == null ? [] : marksFromText(marks),
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

function marksFromText(text: string): Mark[] {
  const marks = (JSON.parse(text) as (readonly [number, RunEvent])[]).map(([id, event]) => ({ id, event }));
  return marks.sort((a, b) => a.id - b.id);
}

function lostDefinition(runId: string): LineshaftError {
  return new LineshaftError('RUN_NOT_FOUND', { message: `the definition of run '${runId}' is not there` });
}
