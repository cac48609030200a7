/** The ways in which the dialect answers: JSON that is text already, a raw text, an empty 200, and 204. */

import type { FastifyReply } from 'fastify';

/** JSON that a writer of `wire/` has made: it is sent as it is. */
export function json(reply: FastifyReply, text: string): string {
  reply.type('application/json; charset=utf-8');
  return text;
}

/** The same of a text in parts, which is long: as bytes at once, since one long text would be copied several times. */
export function jsonParts(reply: FastifyReply, parts: readonly string[]): Buffer {
  reply.type('application/json; charset=utf-8');
  let size = 0;
  for (const part of parts) size += Buffer.byteLength(part);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) at += bytes.write(part, at);
  return bytes;
}

/** An id or a count, unquoted. */
export function plain(reply: FastifyReply, text: string): string {
  reply.type('text/plain; charset=utf-8');
  return text;
}

/** Done, and nothing to say: 200 without a body. */
export function done(reply: FastifyReply): FastifyReply {
  return reply.code(200).send();
}

/** 204: nothing there, or done where old clients expect this. */
export function nothing(reply: FastifyReply): FastifyReply {
  return reply.code(204).send();
}

/** A list of texts that are JSON each. */
export function list(texts: readonly string[]): string {
  return `[${texts.join(',')}]`;
}
