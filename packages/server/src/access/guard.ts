/** Asks of every request who makes it and whether he may, before its body is read. And hands out tokens. */

import type { IncomingHttpHeaders } from 'node:http';
import { LineshaftError } from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from '../http/caller.ts';
import { credentialOf } from './credentials.ts';
import type { Gate } from './gate.ts';
import { type Action, mayDo } from './may-do.ts';

/** @param gate Made when it is known where the server listens: before the first request. */
export function addGuard(app: FastifyInstance, gate: () => Gate): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config?.open === true) {
      done();
      return;
    }
    const admitted = (caller: Caller): void => {
      const refusal = refusalOf(caller, askedOf(request), request.headers);
      request.caller = caller;
      if (refusal === undefined) done();
      else done(refusal);
    };
    const credential = credentialOf(request.headers);
    const known = gate().recall(credential);
    if (known !== undefined) admitted(known);
    else gate().identify(credential, request.ip).then(admitted, done);
  });
  addTokenRoute(app, gate);
  addUserRoute(app);
}

/** Who calls, if he may, as far as it is known without asking the database; undefined: he must go the way of `addGuard`. */
export function admitAtOnce(gate: Gate, headers: IncomingHttpHeaders, asked: Asked): Caller | undefined {
  const caller = gate.recall(credentialOf(headers));
  return caller === undefined || refusalOf(caller, asked, headers) !== undefined ? undefined : caller;
}

/** What a request is for. */
interface Asked {
  readonly route: string;
  readonly action: Action;
}

function askedOf({ routeOptions, method }: FastifyRequest): Asked {
  const { config, url: route = '' } = routeOptions;
  return { route, action: config?.action ?? (method === 'GET' ? 'read' : 'write') };
}

/** Why a caller may not do what he asks for; undefined: he may. */
function refusalOf(
  caller: Caller,
  { route, action }: Asked,
  headers: IncomingHttpHeaders,
): Error | undefined {
  // Where no key is demanded, a page of somebody else's must not use the browser of who works at this machine.
  if (caller.keyId === undefined && headers['sec-fetch-site'] === 'cross-site') {
    return new LineshaftError('NOT_ALLOWED', {
      message:
        'a page of another site may not call a server that demands no key; make one: lineshaft token create',
    });
  }
  if (mayDo(caller, action, { route })) return undefined;
  return new LineshaftError('NOT_ALLOWED', {
    message: `${caller.name} may not ${action} ${route}`,
    details: { action, route },
  });
}

function addTokenRoute(app: FastifyInstance, gate: () => Gate): void {
  app.post<{ Body: { keyId: string; keySecret: string } }>(
    '/api/token',
    { config: { open: true, action: 'read' }, schema: tokenSchema },
    async (request) => {
      const { keyId, keySecret } = request.body;
      return { token: await gate().token(keyId, keySecret, request.ip) };
    },
  );
}

/** Who one is to this server, as SDKs of Orkes ask it. */
function addUserRoute(app: FastifyInstance): void {
  app.get('/api/token/userInfo', { schema: userSchema }, async ({ caller }) => ({
    id: caller.keyId ?? caller.name,
    name: caller.name,
    // Keys have none yet: who holds one may do everything.
    roles: [],
    groups: [],
  }));
}

const userSchema = {
  summary: 'Who makes this request',
  tags: ['access'],
  response: { 200: { description: 'The key, or `local` where none is demanded', type: 'object' } },
};

const text = { type: 'string', minLength: 1, maxLength: 200 };

const tokenSchema = {
  summary: 'A token for a key and its secret',
  description: 'Send it as `X-Authorization`. It holds for 12 hours, at all servers of the installation.',
  tags: ['access'],
  body: {
    type: 'object',
    required: ['keyId', 'keySecret'],
    properties: { keyId: text, keySecret: text },
  },
  response: {
    200: { description: 'The token', type: 'object', properties: { token: { type: 'string' } } },
    401: { description: 'The key or the secret is wrong' },
    429: { description: 'Too many wrong ones came from this address' },
  },
};
