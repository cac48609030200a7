/** What a request says of who makes it. Pure. */

import type { IncomingHttpHeaders } from 'node:http';

/** Longer ones are no credential: ours have 47 characters. */
const longest = 4_096;

/**
 * The secret or the token of a request, from the first of: `X-Authorization: TOKEN`, `Authorization: Bearer TOKEN`,
 * `Authorization: Basic KEYID:SECRET`. undefined: none, or nothing that could be one.
 */
export function credentialOf(headers: IncomingHttpHeaders): Credential | undefined {
  const own = headers['x-authorization'];
  if (typeof own === 'string' && own !== '') return token(own.replace(/^Bearer /i, ''));
  const [, scheme = '', value = ''] = /^(bearer|basic) +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  if (value.length > longest) return undefined;
  if (scheme.toLowerCase() === 'bearer') return token(value);
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { secret: text.slice(colon + 1), keyId: text.slice(0, colon) };
}

export interface Credential {
  /** A secret or a token. */
  readonly secret: string;
  /** Where it was said: then the secret must be of this key. */
  readonly keyId?: string;
}

function token(text: string): Credential | undefined {
  const secret = text.trim();
  return secret === '' || secret.length > longest ? undefined : { secret };
}
