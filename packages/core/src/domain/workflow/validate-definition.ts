/**
 * Checks workflow definitions before they are registered or run: in Conductor's words, each with its exact place. What is
 * beyond the bounds (steps, depth, length) is refused before anything else is looked at. Pure.
 */

import type { StepDefinition, TaskDefinition } from './definition.ts';
import { expressionsIn } from './expression.ts';
import { javaText } from './java-text.ts';
import { parsePath } from './parse-path.ts';
import { retentionField, retentionTroubles } from './run-retention.ts';
import { stepTroubles } from './step-rules.ts';
import { documentTrouble, nameLength, validateTask } from './validate-task.ts';
import { at, checkFields, type FieldType, isObject, type Violation, Violations } from './violation.ts';

export const definitionBounds = {
  /** Steps of a definition, with all that are inside others. */
  steps: 20_000,
  /** Steps inside of steps, and workflows inside of these. */
  depth: 60,
  /** Of the document as JSON, in characters. */
  length: 10_485_760,
} as const;

/** What is known beside the definition. */
export interface DefinitionFacts {
  /** The registered task definition of a name. */
  task?(name: string): TaskDefinition | undefined;
  /** Names that `${NAME}` may show of the process environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

const workflowTypes: Readonly<Record<string, FieldType>> = {
  ...{ name: 'text', description: 'text', version: 'whole', tasks: 'list', inputParameters: 'texts' },
  ...{ outputParameters: 'object', failureWorkflow: 'text', failureWorkflowVersion: 'whole' },
  ...{ schemaVersion: 'whole', restartable: 'boolean', workflowStatusListenerEnabled: 'boolean' },
  ...{ ownerEmail: 'text', ownerApp: 'text', createdBy: 'text', updatedBy: 'text', createTime: 'number' },
  ...{ updateTime: 'number', timeoutSeconds: 'number', variables: 'object', inputTemplate: 'object' },
  ...{ rateLimitConfig: 'object', metadata: 'object' },
  timeoutPolicy: ['TIME_OUT_WF', 'ALERT_ONLY'],
};

const rateLimitTypes: Readonly<Record<string, FieldType>> = {
  rateLimitKey: 'text',
  concurrentExecLimit: 'whole',
  policy: ['QUEUE', 'REJECT'],
};
const rateLimitMost = 1_000_000;

const stepTypes: Readonly<Record<string, FieldType>> = {
  ...{
    name: 'text',
    taskReferenceName: 'text',
    description: 'text',
    type: 'text',
    inputParameters: 'object',
  },
  ...{
    dynamicTaskNameParam: 'text',
    caseValueParam: 'text',
    caseExpression: 'text',
    scriptExpression: 'text',
  },
  ...{ decisionCases: 'object', defaultCase: 'list', dynamicForkJoinTasksParam: 'text' },
  ...{ dynamicForkTasksParam: 'text', dynamicForkTasksInputParamName: 'text', forkTasks: 'list' },
  ...{ startDelay: 'whole', subWorkflowParam: 'object', joinOn: 'texts', joinStatus: 'text', sink: 'text' },
  ...{ optional: 'boolean', permissive: 'boolean', taskDefinition: 'object', rateLimited: 'boolean' },
  ...{ defaultExclusiveJoinTask: 'texts', asyncComplete: 'boolean', loopCondition: 'text', loopOver: 'list' },
  ...{ retryCount: 'whole', evaluatorType: 'text', expression: 'text', onStateChange: 'object' },
  ...{ cacheConfig: 'object', metadata: 'object' },
  joinMode: ['SYNC', 'ASYNC'],
};

/**
 * What is wrong with a workflow definition; nothing: it may be registered.
 *
 * @param document Any JSON value.
 * @example validateWorkflow({ name: 'w', tasks: [] }) // [{ path: 'tasks', message: 'WorkflowTask list cannot be empty', … }]
 */
export function validateWorkflow(document: unknown, facts: DefinitionFacts = {}): readonly Violation[] {
  const checking = new Checking(facts);
  const trouble = boundsTrouble(document);
  if (trouble !== undefined) checking.violations.add('', trouble, undefined);
  else checking.workflow(document, '', 0);
  return checking.violations.list;
}

/** Too many steps, too deep, too long: found without recursion. */
function boundsTrouble(document: unknown): string | undefined {
  let steps = 0;
  const waiting: { readonly value: unknown; readonly depth: number }[] = [{ value: document, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.depth > definitionBounds.depth)
      return `steps are nested more than ${definitionBounds.depth} deep; put the inner ones into a workflow of their own`;
    for (const list of innerLists(next.value)) {
      steps += list.length;
      if (steps > definitionBounds.steps)
        return `the definition has more than ${definitionBounds.steps} steps; divide it into several workflows`;
      for (const value of list) waiting.push({ value, depth: next.depth + 1 });
    }
    const inline = inlineWorkflow(next.value);
    if (inline !== undefined) waiting.push({ value: inline, depth: next.depth + 1 });
  }
  return documentTrouble(document, definitionBounds.length);
}

function innerLists(value: unknown): unknown[][] {
  if (!isObject(value)) return [];
  const cases = isObject(value['decisionCases']) ? Object.values(value['decisionCases']) : [];
  const branches: unknown[] = Array.isArray(value['forkTasks']) ? value['forkTasks'] : [];
  return [value['tasks'], value['defaultCase'], value['loopOver'], ...cases, ...branches].filter(
    (list): list is unknown[] => Array.isArray(list),
  );
}

function inlineWorkflow(step: unknown): unknown {
  if (!isObject(step) || !isObject(step['subWorkflowParam'])) return undefined;
  const inline = step['subWorkflowParam']['workflowDefinition'];
  return isObject(inline) ? inline : undefined;
}

class Checking {
  readonly violations = new Violations();
  private readonly facts: DefinitionFacts;

  constructor(facts: DefinitionFacts) {
    this.facts = facts;
  }

  workflow(document: unknown, path: string, depth: number): void {
    if (!isObject(document)) {
      this.violations.add(path, 'WorkflowDef must be an object', document);
      return;
    }
    checkFields(this.violations, path, document, workflowTypes);
    this.name(document['name'], at(path, 'name'), 'WorkflowDef name cannot be null or empty');
    const { version, schemaVersion, timeoutSeconds, tasks } = document;
    if (typeof version === 'number' && version < 1)
      this.violations.add(at(path, 'version'), 'WorkflowDef version must be >= 1', version);
    if (typeof schemaVersion === 'number' && schemaVersion !== 2)
      this.violations.add(
        at(path, 'schemaVersion'),
        'workflowDef schemaVersion: 2 is only supported',
        schemaVersion,
      );
    if (typeof timeoutSeconds === 'number' && timeoutSeconds < 0)
      this.violations.add(at(path, 'timeoutSeconds'), 'timeoutSeconds must be >= 0', timeoutSeconds);
    this.rateLimit(document['rateLimitConfig'], at(path, 'rateLimitConfig'));
    this.retention(document['metadata'], at(path, 'metadata'));
    if (!Array.isArray(tasks) || tasks.length === 0) {
      this.violations.add(at(path, 'tasks'), 'WorkflowTask list cannot be empty', tasks);
      return;
    }
    const refs = new Set<string>();
    this.steps(tasks, at(path, 'tasks'), {
      refs,
      workflow: javaText(document['name'], nameLength),
      path,
      depth,
    });
    this.expressions(tasks, at(path, 'tasks'), refs);
  }

  private rateLimit(config: unknown, path: string): void {
    if (!isObject(config)) return;
    checkFields(this.violations, path, config, rateLimitTypes);
    const { concurrentExecLimit: most, rateLimitKey: key } = config;
    if (typeof most === 'number' && (most < 0 || most > rateLimitMost))
      this.violations.add(at(path, 'concurrentExecLimit'), `must be from 0 to ${rateLimitMost}`, most);
    for (const source of typeof key === 'string' ? expressionsIn(key) : []) {
      // When a run begins nothing else is known.
      if (source.includes('${') || firstName(source) === 'workflow') continue;
      this.violations.add(at(path, 'rateLimitKey'), `\${${source}} does not speak of the workflow`, key);
    }
  }

  private retention(metadata: unknown, path: string): void {
    if (!isObject(metadata) || !Object.hasOwn(metadata, retentionField)) return;
    const retention = metadata[retentionField];
    const place = at(path, retentionField);
    for (const { field, message } of retentionTroubles(retention))
      this.violations.add(field === '' ? place : at(place, field), message, retention);
  }

  private steps(list: unknown, path: string, inside: Inside): void {
    if (!Array.isArray(list)) {
      this.violations.add(path, 'must be a list of tasks', list);
      return;
    }
    for (const [index, step] of list.entries()) this.step(step, `${path}[${index}]`, inside);
  }

  private step(document: unknown, path: string, inside: Inside): void {
    if (!isObject(document)) {
      this.violations.add(path, 'WorkflowTask must be an object', document);
      return;
    }
    const before = this.violations.list.length;
    checkFields(this.violations, path, document, stepTypes);
    this.name(document['name'], at(path, 'name'), 'WorkflowTask name cannot be empty or null');
    const ref = document['taskReferenceName'];
    const refPath = at(path, 'taskReferenceName');
    this.name(ref, refPath, 'WorkflowTask taskReferenceName name cannot be empty or null');
    if (typeof ref === 'string' && ref !== '') this.ref(ref, inside);
    if (document['type'] === '')
      this.violations.add(at(path, 'type'), 'WorkTask type cannot be null or empty', '');
    for (const field of ['startDelay', 'retryCount']) {
      const value = document[field];
      if (typeof value === 'number' && value < 0)
        this.violations.add(at(path, field), 'must be greater than or equal to 0', value);
    }
    // What a step of its type needs can be said only of one whose fields are of their types.
    if (this.violations.list.length === before) this.rules(document as unknown as StepDefinition, path);
    this.inner(document, path, inside);
  }

  private rules(step: StepDefinition, path: string): void {
    const task = step.taskDefinition ?? this.facts.task?.(step.name);
    for (const trouble of stepTroubles(step, task)) this.violations.add(path, trouble, step.name);
    if (isObject(step.taskDefinition)) {
      for (const violation of validateTask({ ...step.taskDefinition, name: step.name })) {
        const place = at(path, at('taskDefinition', violation.path));
        this.violations.add(place, violation.message, violation.invalidValue);
      }
    }
    const child = step.subWorkflowParam;
    if (!isObject(child)) return;
    const unnamed = (child.name ?? '') === '' && (child.workflowDefinition ?? undefined) === undefined;
    if (unnamed || typeof (child.name ?? '') !== 'string')
      this.violations.add(
        at(path, 'subWorkflowParam.name'),
        'SubWorkflowParams name cannot be empty',
        child.name,
      );
  }

  private inner(document: Readonly<Record<string, unknown>>, path: string, inside: Inside): void {
    const { decisionCases, defaultCase, forkTasks, loopOver } = document;
    if (isObject(decisionCases)) {
      for (const [name, list] of Object.entries(decisionCases))
        this.steps(list, `${at(path, 'decisionCases')}[${name}]`, inside);
    }
    if (Array.isArray(forkTasks)) {
      for (const [index, list] of forkTasks.entries())
        this.steps(list, `${at(path, 'forkTasks')}[${index}]`, inside);
    }
    if (Array.isArray(defaultCase)) this.steps(defaultCase, at(path, 'defaultCase'), inside);
    if (Array.isArray(loopOver)) this.steps(loopOver, at(path, 'loopOver'), inside);
    const inline = inlineWorkflow(document);
    if (inline !== undefined)
      this.workflow(inline, at(path, 'subWorkflowParam.workflowDefinition'), inside.depth + 1);
  }

  private ref(ref: string, inside: Inside): void {
    if (inside.refs.has(ref)) {
      const message = `taskReferenceName: ${ref} should be unique across tasks for a given workflowDefinition: ${inside.workflow}`;
      this.violations.add(inside.path, message, inside.workflow);
    }
    inside.refs.add(ref);
  }

  private name(value: unknown, path: string, missing: string): void {
    if (value === undefined || value === null || value === '') this.violations.add(path, missing, value);
    else if (typeof value === 'string' && value.length > nameLength)
      this.violations.add(path, `must have at most ${nameLength} characters`, value);
  }

  /** What `${…}` speaks of must exist; as in Conductor, of the outermost steps only: inner ones may name what is made later. */
  private expressions(steps: readonly unknown[], path: string, refs: ReadonlySet<string>): void {
    for (const [index, step] of steps.entries()) {
      if (!isObject(step) || !isObject(step['inputParameters'])) continue;
      const place = `${path}[${index}].inputParameters`;
      for (const [key, value] of Object.entries(step['inputParameters'])) {
        for (const source of expressionsIn(value)) {
          const trouble = this.sourceTrouble(source, refs, { key, task: javaText(step['name'], nameLength) });
          if (trouble !== undefined) this.violations.add(at(place, key), trouble, value);
        }
      }
    }
  }

  private sourceTrouble(
    source: string,
    refs: ReadonlySet<string>,
    where: { readonly key: string; readonly task: string },
  ): string | undefined {
    // Of a nested one only the inner can be judged.
    if (source.includes('${')) return undefined;
    const name = firstName(source);
    if (name === undefined) return `key: ${where.key} input parameter value: ${source} is not valid`;
    const known = name === '' || name === 'workflow' || name === 'CPEWF_TASK_ID' || refs.has(name);
    if (known || Object.hasOwn(this.facts.environment ?? {}, name)) return undefined;
    return (
      `taskReferenceName: ${name} for given task: ${where.task} input value: ${where.key} of input parameter: ` +
      `\${${source}} is not defined in workflow definition.`
    );
  }
}

interface Inside {
  readonly refs: Set<string>;
  /** Name and place of the workflow that the steps belong to. */
  readonly workflow: string;
  readonly path: string;
  readonly depth: number;
}

/** Empty where it begins with no single name; undefined where it is no path. */
function firstName(source: string): string | undefined {
  if (source.trim() === '') return undefined;
  try {
    const [first] = parsePath(source).steps;
    return first?.type === 'names' && first.names.length === 1 ? (first.names[0] ?? '') : '';
  } catch {
    return undefined;
  }
}
