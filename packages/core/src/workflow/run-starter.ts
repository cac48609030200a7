/** Makes runs: which definition, with what input, and what is decided first. Writes nothing; `runs.ts` does. */

import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { decide } from '../domain/workflow/decide.ts';
import type { DecideContext, RunStart } from '../domain/workflow/decision.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import { demandSize } from '../domain/workflow/document-size.ts';
import { inLine } from '../domain/workflow/rate-limit.ts';
import type { Run, StartRequest } from '../domain/workflow/run.ts';
import { readState } from '../domain/workflow/state.ts';
import type { KeptDefinition } from './apply-values.ts';
import { asksForTasks } from './asks-for-tasks.ts';
import type { DefinitionCache } from './definition-cache.ts';
import type { RunKeys } from './run-keys.ts';
import { RunWork } from './run-work.ts';

/** What goes with a start that is not in the request. */
export interface Begin {
  readonly runId: string;
  /** The run, with its step, that is told how this one ends. */
  readonly parent: Run['parent'];
  readonly context: DecideContext;
  /** How many runs lie around it. Default 0. */
  readonly depth?: number;
  /** The limit of its workflow does not hold for it. Default false. */
  readonly unlimited?: boolean;
}

/** Runs within runs: a workflow that calls itself without end is stopped there, by the step that would go deeper. */
const depthMax = 100;

const empty: JsonObject = Object.freeze({});

export class RunStarter {
  private readonly definitions: DefinitionCache;
  private readonly keys: Pick<RunKeys, 'claim'>;

  constructor(parts: { readonly definitions: DefinitionCache; readonly keys: Pick<RunKeys, 'claim'> }) {
    this.definitions = parts.definitions;
    this.keys = parts.keys;
  }

  /** To be called before a group of starts. */
  refresh(): Promise<void> {
    return this.definitions.refresh();
  }

  /** @throws LineshaftError WORKFLOW_NOT_FOUND, DEFINITION_INVALID, OPTION_INVALID */
  async begin(request: StartRequest, about: Begin): Promise<RunWork> {
    const { runId, parent, depth = 0, context, unlimited = false } = about;
    const { input = empty, priority = 0 } = request;
    if (!Number.isInteger(priority) || priority < 0 || priority > 99)
      throw invalidOption('priority', priority, 'a whole number from 0 to 99');
    if (typeof input !== 'object' || input === null || Array.isArray(input))
      throw invalidOption('input', input, 'a JSON object');
    const kept = await this.definitionOf(request);
    if (asksForTasks(kept.definition)) await this.definitions.readTasks();
    const run = newRun(request, kept, { runId, parent, depth, now: context.now });
    demandSize(run.input, context.limits.documents.runInput, { run: runId });
    const state = readState(unlimited ? run : { ...run, limited: inLine(run) }, []);
    const work = new RunWork(state, { isNew: true, kept });
    work.merged.take(decide(state, [{ type: 'started' }], context));
    return work;
  }

  /**
   * The run that a step of another one starts.
   *
   * @returns a text: the id of a run that has the idempotency key of the request, and is to be taken for it
   * @throws LineshaftError as `begin`, RUN_EXISTS, RUN_TOO_DEEP
   */
  async child(start: RunStart, parent: Run, context: DecideContext): Promise<RunWork | string> {
    const { runId, stepId, attached, request } = start;
    const depth = attached ? parent.depth + 1 : 0;
    if (depth > depthMax) throw tooDeep(request.name);
    const held = await this.keys.claim(request, runId, parent.id);
    if (held !== runId && !attached) return held;
    // A run tells its end to one step only.
    if (held !== runId) {
      throw new LineshaftError('RUN_EXISTS', {
        message: `run '${held}' has the idempotency key already, and is no run of this step`,
        details: { name: request.name, runId: held },
      });
    }
    const told = attached && stepId !== undefined ? { runId: parent.id, stepId } : undefined;
    return await this.begin(request, { runId, parent: told, depth, context });
  }

  private definitionOf(request: StartRequest): Promise<KeptDefinition> {
    const { definition, name, version } = request;
    return definition === undefined
      ? this.definitions.get(name, version)
      : this.definitions.unregistered(definition);
  }
}

function tooDeep(name: string): LineshaftError {
  return new LineshaftError('RUN_TOO_DEEP', {
    message: `workflow '${name}' would run within ${depthMax} others already, and no run may lie deeper`,
    details: { name, depthMax },
  });
}

function newRun(
  request: StartRequest,
  kept: KeptDefinition,
  begin: Pick<Run, 'parent' | 'depth'> & { readonly runId: string; readonly now: number },
): Run {
  const { definition } = kept;
  const { input = empty } = request;
  const template = definition.inputTemplate;
  return {
    id: begin.runId,
    revision: 0,
    definition,
    status: 'RUNNING',
    // As Conductor: defaults count only where there is some input.
    input: template !== undefined && Object.keys(input).length > 0 ? { ...template, ...input } : input,
    output: empty,
    variables: definition.variables ?? empty,
    priority: request.priority ?? 0,
    correlationId: request.correlationId,
    idempotencyKey: request.idempotencyKey,
    taskToDomain: request.taskToDomain ?? {},
    createdBy: request.createdBy,
    createdAt: begin.now,
    updatedAt: begin.now,
    endedAt: undefined,
    lastRetriedAt: undefined,
    reason: undefined,
    event: request.event,
    parent: begin.parent,
    depth: begin.depth,
    reRunFrom: undefined,
    failedRefs: [],
    failedNames: [],
    nextSeq: 1,
    limited: undefined,
  };
}
