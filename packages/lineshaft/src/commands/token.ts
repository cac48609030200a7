/** `lineshaft token …`: keys of callers of the server. Once there is one, servers demand one. */

import type { ApiKey, NewApiKey } from '@lineshaft/core';
import type { Command } from 'commander';
import { describeTime } from '../durations.ts';
import { duration } from '../option-parsers.ts';
import type { Screen } from '../output/screen.ts';
import { action, type Context, type Session } from './context.ts';

interface CreateFlags {
  readonly name?: string;
  readonly expires?: number;
}

export function addToken(program: Command, session: Session): void {
  const token = program
    .command('token')
    .description('create, list and revoke API keys; servers demand one as soon as there is one');
  token
    .command('create')
    .description('make a key and print its id and its secret, which nobody can print again')
    .option('--name <text>', 'who or what it is for (default: key)')
    .option(
      '--expires <duration>',
      'after which it opens nothing: 90d, 12h (default: never)',
      duration('--expires'),
    )
    .action(action<CreateFlags>(session, create));
  token.command('list').description('all keys, without secrets').action(action(session, list));
  token
    .command('revoke')
    .description('forget a key: its secret and its tokens open nothing any more')
    .argument('<key-id>', 'lsk_…, as token list prints it')
    .action(action(session, revoke));
}

async function create({ screen, flags, open }: Context<CreateFlags>): Promise<undefined> {
  const { lineshaft } = await open();
  const key = await lineshaft.apiKeys.create({
    name: flags.name ?? 'key',
    ...(flags.expires === undefined ? {} : { expiresInMs: flags.expires }),
  });
  screen.result(key, () => describeNew(key, screen));
  return undefined;
}

async function list({ screen, host, open }: Context): Promise<undefined> {
  const { lineshaft } = await open();
  const keys = await lineshaft.apiKeys.list();
  screen.result({ keys }, () =>
    keys.length === 0
      ? 'no keys: servers on this machine serve everybody here, others do not start; make one: lineshaft token create'
      : describeKeys(keys, screen, host.now()),
  );
  return undefined;
}

async function revoke({ screen, args, open }: Context): Promise<undefined> {
  const { lineshaft } = await open();
  const [keyId = ''] = args;
  await lineshaft.apiKeys.revoke(keyId);
  const left = (await lineshaft.apiKeys.list()).length;
  screen.result({ revoked: keyId, left }, () =>
    left > 0
      ? `${keyId} is revoked`
      : `${keyId} is revoked; it was the last: servers that listen on this machine alone demand none now`,
  );
  return undefined;
}

function describeNew(key: NewApiKey, screen: Screen): string {
  const facts = screen.facts([
    ['key id', key.keyId],
    ['secret', key.keySecret],
    ['name', key.name],
    ['expires', key.expiresAt?.toISOString() ?? 'never'],
  ]);
  return (
    `${facts}\n\nKeep the secret now: it is not stored and cannot be shown again. Clients of Conductor take both:\n` +
    `  export CONDUCTOR_AUTH_KEY=${key.keyId}\n  export CONDUCTOR_AUTH_SECRET=${key.keySecret}\n` +
    `Others send the secret:\n  curl -H 'Authorization: Bearer ${key.keySecret}' …`
  );
}

function describeKeys(keys: readonly ApiKey[], screen: Screen, nowMs: number): string {
  return screen.table<ApiKey>(
    [
      { title: 'key id', value: ({ keyId }) => keyId },
      { title: 'name', value: ({ name }) => name, gives: true },
      { title: 'created', value: ({ createdAt }) => describeTime(createdAt, nowMs) },
      {
        title: 'expires',
        value: ({ expiresAt, expired }) =>
          expired ? 'expired' : expiresAt === undefined ? 'never' : describeTime(expiresAt, nowMs),
      },
      {
        title: 'last used',
        value: ({ lastUsedAt }) => (lastUsedAt === undefined ? 'never' : describeTime(lastUsedAt, nowMs)),
      },
    ],
    keys,
  );
}
