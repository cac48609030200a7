/** Sizes from which documents of workflows are kept apart from the database, and beyond which they are refused. Pure. */

import { fieldsOf, refuseUnknown, wholeNumber } from '../domain/fields.ts';
import type { DocumentLimits } from '../domain/workflow/document-size.ts';

/** In kilobytes (1,024 bytes), 0 to 102,400; the names are Conductor's. */
export interface WorkflowPayloadSettings {
  /** From here on the input of a run is kept apart, where there is a store (`blobs`). Default 5,120. */
  readonly workflowInputPayloadSizeThreshold?: number;
  /** A larger one is refused. Default 10,240. */
  readonly maxWorkflowInputPayloadSizeThreshold?: number;
  /** Default 5,120. */
  readonly workflowOutputPayloadSizeThreshold?: number;
  /** A run whose output is larger fails. Default 10,240. */
  readonly maxWorkflowOutputPayloadSizeThreshold?: number;
  /** Default 3,072. */
  readonly taskInputPayloadSizeThreshold?: number;
  /** A step whose input is larger fails. Default 10,240. */
  readonly maxTaskInputPayloadSizeThreshold?: number;
  /** Default 3,072. */
  readonly taskOutputPayloadSizeThreshold?: number;
  /** A step whose output is larger fails. Default 10,240. */
  readonly maxTaskOutputPayloadSizeThreshold?: number;
}

export interface PayloadSizes {
  /** Larger ones are kept apart, in bytes. */
  readonly apart: DocumentLimits;
  /** Larger ones are refused, in bytes. */
  readonly most: DocumentLimits;
}

const byDefault: Required<WorkflowPayloadSettings> = {
  workflowInputPayloadSizeThreshold: 5_120,
  maxWorkflowInputPayloadSizeThreshold: 10_240,
  workflowOutputPayloadSizeThreshold: 5_120,
  maxWorkflowOutputPayloadSizeThreshold: 10_240,
  taskInputPayloadSizeThreshold: 3_072,
  maxTaskInputPayloadSizeThreshold: 10_240,
  taskOutputPayloadSizeThreshold: 3_072,
  maxTaskOutputPayloadSizeThreshold: 10_240,
};
/** The most that one statement should carry of one document. */
const kilobytesMax = 102_400;

/**
 * @param given what is not said is as in Conductor
 * @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN
 */
export function payloadSizes(given: WorkflowPayloadSettings = {}): PayloadSizes {
  const fields = fieldsOf(given, 'workflowPayloads');
  refuseUnknown(fields, Object.keys(byDefault), 'workflowPayloads.');
  const bytes = (name: keyof WorkflowPayloadSettings): number =>
    wholeNumber(fields[name] ?? byDefault[name], `workflowPayloads.${name}`, 0, kilobytesMax) * 1_024;
  return {
    apart: {
      runInput: bytes('workflowInputPayloadSizeThreshold'),
      runOutput: bytes('workflowOutputPayloadSizeThreshold'),
      stepInput: bytes('taskInputPayloadSizeThreshold'),
      stepOutput: bytes('taskOutputPayloadSizeThreshold'),
    },
    most: {
      runInput: bytes('maxWorkflowInputPayloadSizeThreshold'),
      runOutput: bytes('maxWorkflowOutputPayloadSizeThreshold'),
      stepInput: bytes('maxTaskInputPayloadSizeThreshold'),
      stepOutput: bytes('maxTaskOutputPayloadSizeThreshold'),
    },
  };
}
