/**
 * Bodies: JSON whatever the Content-Type says, because clients send anything; valid UTF-8, not too deep, and nothing
 * in it that PostgreSQL cannot keep or that would reach into prototypes. Routes with `config.body: 'text'` get the text.
 */

import { LineshaftError } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';

/** As payloads of jobs: deeper ones overflow the stack of some reader on their way. */
const maxDepth = 500;
const utf8 = new TextDecoder('utf-8', { fatal: true });

export function addBodyParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  // That of any type is looked for anew with each request; the usual one is found by its name.
  app.addContentTypeParser(['application/json', '*'], { parseAs: 'buffer' }, (request, body, done) => {
    try {
      const text = decode(body as Buffer);
      const wantsText = request.routeOptions.config.body === 'text';
      done(null, wantsText ? text : parse(text));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** @throws LineshaftError BODY_INVALID */
function decode(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw invalid('the body is not valid UTF-8');
  }
}

/** @throws LineshaftError BODY_INVALID */
function parse(text: string): unknown {
  if (text.trim() === '') return undefined;
  if (text.length > maxDepth) demandShallow(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // What V8 says quotes the body, and a body may hold secrets: only the place is told.
    const place = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw invalid(`the body is not JSON${place === undefined ? '' : `: see position ${place}`}`);
  }
  if (suspicious.test(text)) demandPlain(value, 'body');
  return value;
}

/** Names of prototypes, and escapes of what is no character: seldom there, so that most bodies are not walked. */
const suspicious = /__proto__|\\u(?:0000|005f|d[89a-f])/i;

/** Refuses before parsing what is nested too deep. Brackets within strings do not count. */
function demandShallow(text: string): void {
  let depth = 0;
  for (let place = 0; place < text.length; place += 1) {
    const code = text.charCodeAt(place);
    if (code === 0x22) place = endOfString(text, place);
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > maxDepth) throw invalid(`the body is nested deeper than ${maxDepth} levels`);
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
}

/** Where the string that begins at a quote ends; the end of the text if it does not. */
function endOfString(text: string, begin: number): number {
  for (let from = begin + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let escapes = 0;
    while (text.charCodeAt(quote - 1 - escapes) === 0x5c) escapes += 1;
    if (escapes % 2 === 0) return quote;
    from = quote + 1;
  }
}

/** Refuses NUL characters, halves of surrogate pairs and keys that are names of prototypes; says where. */
function demandPlain(value: unknown, path: string): void {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw invalid(`${path} has a NUL character, which the database cannot keep`);
    if (!value.isWellFormed()) throw invalid(`${path} has half of a surrogate pair, which is no character`);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__') throw invalid(`${path} has the key __proto__, which is not taken`);
    demandPlain(key, `a key of ${path}`);
    demandPlain(inner, `${path}.${key}`);
  }
}

function invalid(message: string): LineshaftError {
  return new LineshaftError('BODY_INVALID', { message, details: { field: 'body' } });
}
