/** Checks task definitions, in Conductor's words. Pure. */

import { jsonText } from '../payload-text.ts';
import type { TaskDefinition } from './definition.ts';
import { checkFields, type FieldType, isObject, type Violation, Violations } from './violation.ts';

const fieldTypes: Readonly<Record<string, FieldType>> = {
  ...{ name: 'text', description: 'text', ownerEmail: 'text', ownerApp: 'text', createdBy: 'text' },
  ...{ updatedBy: 'text', isolationGroupId: 'text', executionNameSpace: 'text', createTime: 'number' },
  ...{ updateTime: 'number', retryCount: 'whole', retryDelaySeconds: 'whole', backoffScaleFactor: 'whole' },
  ...{ maxRetryDelaySeconds: 'whole', backoffJitterMs: 'whole', timeoutSeconds: 'number' },
  ...{ responseTimeoutSeconds: 'number', pollTimeoutSeconds: 'whole', totalTimeoutSeconds: 'number' },
  ...{ concurrentExecLimit: 'whole', rateLimitPerFrequency: 'whole', rateLimitFrequencyInSeconds: 'whole' },
  ...{ inputKeys: 'texts', outputKeys: 'texts', inputTemplate: 'object' },
  retryLogic: ['FIXED', 'EXPONENTIAL_BACKOFF', 'LINEAR_BACKOFF'],
  timeoutPolicy: ['RETRY', 'TIME_OUT_WF', 'ALERT_ONLY'],
};

const notNegative = [
  ...['retryCount', 'pollTimeoutSeconds', 'retryDelaySeconds', 'maxRetryDelaySeconds', 'backoffJitterMs'],
  ...['timeoutSeconds', 'totalTimeoutSeconds', 'concurrentExecLimit', 'rateLimitPerFrequency'],
] as const;

export const nameLength = 255;
const documentLength = 1_048_576;

/** What is wrong with a task definition; nothing: it may be registered. */
export function validateTask(document: unknown): readonly Violation[] {
  const violations = new Violations();
  if (!isObject(document)) violations.add('', 'TaskDef must be an object', document);
  else checkTask(violations, document);
  return violations.list;
}

function checkTask(violations: Violations, document: Readonly<Record<string, unknown>>): void {
  const trouble = documentTrouble(document, documentLength);
  if (trouble !== undefined) {
    violations.add('', trouble, undefined);
    return;
  }
  checkFields(violations, '', document, fieldTypes);
  if (violations.list.length > 0) return;
  const task = document as unknown as TaskDefinition;
  const name = task.name ?? '';
  if (name === '') violations.add('name', 'TaskDef name cannot be null or empty', task.name);
  if (name.length > nameLength)
    violations.add('name', `TaskDef name must have at most ${nameLength} characters`, name);
  for (const field of notNegative) {
    if ((task[field] ?? 0) < 0) violations.add(field, `TaskDef ${field}: 0 must be >= 0`, task[field]);
  }
  const { responseTimeoutSeconds = 3_600, timeoutSeconds = 0 } = withoutNulls(task);
  if (responseTimeoutSeconds < 1) {
    violations.add(
      'responseTimeoutSeconds',
      `TaskDef responseTimeoutSeconds: ${responseTimeoutSeconds} should be minimum 1 second`,
      responseTimeoutSeconds,
    );
  }
  if ((task.backoffScaleFactor ?? 1) < 1) {
    const message = 'Backoff scale factor. Applicable for LINEAR_BACKOFF';
    violations.add('backoffScaleFactor', message, task.backoffScaleFactor);
  }
  if ((task.rateLimitFrequencyInSeconds ?? 1) < 1) {
    const message = 'TaskDef rateLimitFrequencyInSeconds: 1 must be >= 1';
    violations.add('rateLimitFrequencyInSeconds', message, task.rateLimitFrequencyInSeconds);
  }
  if (timeoutSeconds > 0 && responseTimeoutSeconds > timeoutSeconds) {
    const message =
      `TaskDef: ${name} responseTimeoutSeconds: ${responseTimeoutSeconds} must be less than ` +
      `timeoutSeconds: ${timeoutSeconds}`;
    violations.add('', message, name);
  }
}

/** Why a document can't be kept: too long, too deep, or with characters that PostgreSQL can't keep. */
export function documentTrouble(document: unknown, maxLength: number): string | undefined {
  try {
    const text = jsonText(document, 'the document', 'OPTION_INVALID');
    return text.length <= maxLength ? undefined : `the document is longer than ${maxLength} characters`;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Fields that are null are as good as absent, as on the wire. */
export function withoutNulls<Document extends object>(document: Document): Document {
  const entries = Object.entries(document);
  if (!entries.some(([, value]) => value === null)) return document;
  return Object.fromEntries(entries.filter(([, value]) => value !== null)) as Document;
}
