/** Reads the payload of a job from the command line. */

import { text } from 'node:stream/consumers';
import { UsageError } from '../usage-error.ts';

/**
 * The payload: JSON as it was given, or from standard input for `-`; null where there is none. @throws
 * PAYLOAD_INVALID
 */
export async function readPayload(given: string | undefined, stdin: NodeJS.ReadableStream): Promise<unknown> {
  if (given === undefined) return null;
  const json = given === '-' ? await text(stdin) : given;
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const hint = /^[\w./ -]+$/.test(json) ? `; a text needs quotes of its own: '"${json.trim()}"'` : '';
    throw new UsageError(`the payload is not JSON: ${why}${hint}`, { field: 'json' }, 'PAYLOAD_INVALID');
  }
}
