/** What workflows may use of the process that they are decided in: by options, else by the environment. */

import { openBlobs } from '../blob/open-blobs.ts';
import type { BlobStore } from '../blob/port.ts';
import { invalidOption } from '../domain/errors.ts';
import type { SecretValues } from '../domain/workflow/secrets.ts';
import { type PayloadSizes, payloadSizes, type WorkflowPayloadSettings } from './payload-settings.ts';

export interface Surroundings {
  readonly blobs: BlobStore | undefined;
  readonly payloadSizes: PayloadSizes;
  /** What `${NAME}` may show. */
  readonly environment: Readonly<Record<string, string>>;
  /** What `${workflow.secrets.NAME}` may hand to workers. */
  readonly secrets: SecretValues;
}

/** @throws OPTION_INVALID */
export function workflowSurroundings(
  options: {
    readonly blobs?: string | BlobStore;
    readonly workflowPayloads?: WorkflowPayloadSettings;
    readonly workflowEnvironment?: readonly string[];
    readonly workflowSecrets?: readonly string[];
  },
  variables: Readonly<Record<string, string | undefined>>,
): Surroundings {
  const address = options.blobs ?? variables['LINESHAFT_BLOBS'];
  const allowed = (field: 'workflowEnvironment' | 'workflowSecrets', byDefault: string | undefined) =>
    valuesOf(options[field] ?? namesIn(byDefault), field, variables);
  return {
    blobs: typeof address === 'string' && address !== '' ? openBlobs(address, variables) : storeOf(address),
    payloadSizes: payloadSizes(options.workflowPayloads),
    environment: allowed('workflowEnvironment', variables['LINESHAFT_WORKFLOW_ENVIRONMENT']),
    secrets: allowed('workflowSecrets', variables['LINESHAFT_WORKFLOW_SECRETS']),
  };
}

/** The variables of these names that there are. */
function valuesOf(
  names: readonly string[],
  field: string,
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]{0,199}$/.test(name))
        throw invalidOption(field, name, 'the name of an environment variable');
      const value = variables[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function storeOf(given: unknown): BlobStore | undefined {
  if (given === undefined || given === '') return undefined;
  if (typeof given === 'object' && given !== null && 'put' in given && 'get' in given)
    return given as BlobStore;
  throw invalidOption('blobs', given, 'an address or a store of blobs');
}

function namesIn(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
