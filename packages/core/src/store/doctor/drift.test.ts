import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { look, wrong } from '../../testing/doctor.ts';
import { type Installation, install, openClient } from '../../testing/installation.ts';

describe.each(['postgres15', 'postgres18'] as const)('the drift check on %s', (server) => {
  let installation: Installation;
  let client: pg.Client;
  beforeEach(async () => {
    installation = await install(inject(server));
    client = installation.client;
  });
  afterEach(() => installation.close());

  test('drift: a dropped index is named', async () => {
    await client.query('drop index lineshaft.ready_order');
    expect(wrong(await look(client))).toEqual([
      {
        code: 'drift-missing',
        severity: 'error',
        title: 'index ready_order of table ready is missing',
        detail: 'It should be: CREATE INDEX ready_order ON ready USING btree (lane, priority DESC, due, seq)',
        remedy:
          'Make it again: CREATE INDEX ready_order ON ready USING btree (lane, priority DESC, due, seq)',
      },
    ]);
  });

  test('drift: a changed function is named', async () => {
    await client.query(
      `create or replace function lineshaft.append_error(kept jsonb, next jsonb)
       returns jsonb language sql immutable as 'select kept || next'`,
    );
    expect(wrong(await look(client))).toMatchObject([
      {
        code: 'drift-changed',
        severity: 'error',
        title: 'function append_error(kept jsonb, next jsonb) differs from what the migrations make',
      },
    ]);
  });

  test('drift: an extra column is named', async () => {
    await client.query('alter table lineshaft.job add column colour text');
    expect(wrong(await look(client))).toMatchObject([
      {
        code: 'drift-extra',
        severity: 'warning',
        title: 'column job.colour is there and no migration makes it',
        detail: 'It is: text',
      },
    ]);
  });

  test.each([
    ['alter table lineshaft.job drop column errors', ['column job.errors is missing']],
    ['alter table lineshaft.job alter column lane type bigint', ['column job.lane differs']],
    ['alter table lineshaft.job alter column lane drop not null', ['column job.lane differs']],
    ['alter table lineshaft.job alter column lane set default 1', ['column job.lane differs']],
    [
      'alter table lineshaft.lease alter column job_ids set storage extended',
      ['column lease.job_ids differs'],
    ],
    ['alter table lineshaft.ready reset (autovacuum_vacuum_threshold)', ['table ready differs']],
    ['alter table lineshaft.waiter set logged', ['table waiter differs']],
    [
      'alter table lineshaft.lane drop constraint lane_pin_check',
      ['constraint lane_pin_check of table lane is missing'],
    ],
    ['drop table lineshaft.waiter', ['table waiter is missing']],
    ['create table lineshaft.mine (id int primary key)', ['table mine is there']],
    ['create index mine on lineshaft.job (due)', ['index mine of table job is there']],
    ['drop function lineshaft.uuid_v7()', ['function uuid_v7() is missing']],
    ['alter sequence lineshaft.job_seq increment 2', ['sequence job_seq differs']],
    ['create table lineshaft.history_20200101 (id int primary key)', []],
  ])('drift: %s', async (change, expected) => {
    await client.query(change);
    expect(wrong(await look(client)).map(({ title }) => title)).toEqual(
      expected.map((title) => expect.stringContaining(title)),
    );
  });

  test('a user who may not make a schema is told that drift was not looked at', async () => {
    const role = `reader_${new URL(installation.url).pathname.slice(6)}`;
    await client.query(
      `create role ${role} login; grant usage on schema lineshaft to ${role};
       grant select on all tables in schema lineshaft to ${role}`,
    );
    const reader = new URL(installation.url);
    reader.username = role;
    const stranger = await openClient(reader.href);
    const findings = await look(stranger);
    await stranger.end();
    expect(wrong(findings).map(({ code }) => code)).toEqual(['drift-unknown']);
  });
});
