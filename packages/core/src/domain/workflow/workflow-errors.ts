/** The part of the catalogue of errors that is about workflows: see `../errors.ts`. */

import type { CatalogueEntry } from '../errors.ts';

export const workflowErrors = {
  EXPRESSION_LIMIT: {
    category: 'limit',
    retryable: false,
    cause: 'An expression `${…}` of a workflow makes too long a text, or looks at too many values.',
    remedy: 'Name the place instead of searching for it with `..`, and pass large values whole.',
  },
  QUEUE_OF_STEPS: {
    category: 'conflict',
    retryable: false,
    cause: 'The queue holds the steps of workflows, which would wait for ever without it.',
    remedy: 'Pause it, or terminate the runs whose steps wait in it.',
  },
  WORKFLOW_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No workflow definition has this name, or none of this version.',
    remedy: 'Register it, or use a name and version that exist.',
  },
  WORKFLOW_EXISTS: {
    category: 'conflict',
    retryable: false,
    cause: 'A workflow definition of this name and version exists already.',
    remedy: 'Give it another version, or ask for the definition to be overwritten.',
  },
  DEFINITION_INVALID: {
    category: 'invalid',
    retryable: false,
    cause: 'A workflow or task definition is not one that can be run; the details list every place.',
    remedy: 'Correct the places that `violations` names.',
  },
  TASK_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No task definition has this name.',
    remedy: 'Register it, or use a name that exists.',
  },
  RUN_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No run has this id: it never existed, or it was removed.',
    remedy: 'Check the id, or search for the run.',
  },
  RUN_STATE: {
    category: 'conflict',
    retryable: false,
    cause: 'The run is not in a state in which this can be done.',
    remedy: 'Look at its status, and choose what fits it.',
  },
  RUN_EXISTS: {
    category: 'conflict',
    retryable: false,
    cause: 'Another run of the workflow has the idempotency key of the request.',
    remedy: 'Look at that run, which the details name; ask for RETURN_EXISTING to be given its id.',
  },
  RUN_BUSY: {
    category: 'conflict',
    retryable: true,
    cause: 'Others changed the run again and again while this change was decided.',
    remedy: 'Make the call again.',
  },
  RUN_LIMITED: {
    category: 'limit',
    retryable: true,
    cause:
      'As many runs of the workflow are under way as its `rateLimitConfig` allows, whose policy is REJECT.',
    remedy: 'Try again when one of them has ended, raise the limit, or let runs stand in line (QUEUE).',
  },
  RUN_TOO_DEEP: {
    category: 'limit',
    retryable: false,
    cause:
      'Runs lie within runs too deep, or begin too many at once: a workflow calls itself without an end.',
    remedy: 'Give the recursion a condition that ends it (SWITCH), or use a DO_WHILE.',
  },
  STEP_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No step of a run has this id: it never existed, or its run was removed or began anew.',
    remedy: 'Check the id, or look at the run.',
  },
  EVENT_HANDLER_EXISTS: {
    category: 'conflict',
    retryable: false,
    cause: 'An event handler of this name exists already.',
    remedy: 'Give it another name, or replace the one that is there.',
  },
  EVENT_HANDLER_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'No event handler has this name.',
    remedy: 'Add it first, or use a name that exists.',
  },
  INBOX_FULL: {
    category: 'limit',
    retryable: true,
    cause: 'More messages wait for a run than are kept for it.',
    remedy: 'Let its PULL_WORKFLOW_MESSAGES take some, and send it again.',
  },
  BLOB_UNAVAILABLE: {
    category: 'unavailable',
    retryable: true,
    cause: 'The folder or bucket of large payloads cannot be reached, or refuses us.',
    remedy: 'Check its address and credentials (`LINESHAFT_BLOBS`), and that it is up.',
  },
  BLOB_TOO_LARGE: {
    category: 'limit',
    retryable: false,
    cause: 'A payload that is kept apart is longer than is allowed.',
    remedy: 'Make it smaller, or pass a reference to it.',
  },
  TICKET_INVALID: {
    category: 'not-found',
    retryable: false,
    cause:
      'The address of a large payload is unknown, is for the other direction, or its time (5 minutes) is over.',
    remedy: 'Ask for the address again, just before it is used.',
  },
  BLOB_NOT_FOUND: {
    category: 'not-found',
    retryable: false,
    cause: 'Nothing is kept under the path of a large payload.',
    remedy: 'Write it to the address that was given for the path before it is used.',
  },
} as const satisfies Record<string, CatalogueEntry>;
