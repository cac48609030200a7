/** Statements that are larger than the buffer of a socket: whoever has much else to do waits until they are sent. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Route, Session } from '../../packages/core/src/store/session.ts';
import { openSite, type Site, versions } from './site.ts';

const large = 'x'.repeat(8 * 1024 * 1024);
const measure = { name: '', text: 'select length($1::text)' };

describe.each(versions)('sending statements, on PostgreSQL %i', (version) => {
  let site: Site;
  let session: Session;
  const open = (databaseUrl = site.url): Session =>
    new Session(new Route({ databaseUrl, applicationName: 'sending', statementTimeoutMs: 60_000 }), 'plain');
  beforeAll(async () => {
    site = await openSite(version);
    session = open();
    await session.query(measure, ['']);
  });
  afterAll(async () => {
    await session.close();
    await site.close();
  });

  /** Whether it has resolved by the end of what is under way. */
  const isSettled = async (promise: Promise<unknown>): Promise<boolean> => {
    const waiting = Symbol('waiting');
    return (await Promise.race([promise, Promise.resolve(waiting)])) !== waiting;
  };

  test('a small statement is sent at once, and so is nothing', async () => {
    expect(await isSettled(session.sent())).toBe(true);
    const answered = session.query(measure, ['small']);
    expect(await isSettled(session.sent())).toBe(true);
    expect(await answered).toEqual([['5']]);
  });

  test('a large one is sent before it is answered, and whoever asks waits for that', async () => {
    const order: string[] = [];
    const answered = session.query(measure, [large]).then((rows) => {
      order.push('answered');
      return rows;
    });
    // It is handed to the connection as soon as that is known to be open.
    await Promise.resolve();
    const sent = session.sent();
    expect(await isSettled(sent)).toBe(false);
    expect(session.sent()).toBe(sent);
    await sent.then(() => order.push('sent'));
    expect(await isSettled(session.sent())).toBe(true);
    expect(await answered).toEqual([[String(large.length)]]);
    expect(order).toEqual(['sent', 'answered']);
  });

  test('where the other end takes nothing in, nobody waits for long, nor twice', async () => {
    const { hostname, port } = new URL(site.url);
    const target = new URL(site.url);
    const clients: Socket[] = [];
    const between = createServer((client) => {
      clients.push(client);
      const upstream = connect(Number(port), hostname);
      for (const socket of [client, upstream]) socket.on('error', () => {});
      client.pipe(upstream).pipe(client);
    });
    between.listen(0, '127.0.0.1');
    await once(between, 'listening');
    target.port = String((between.address() as AddressInfo).port);
    const through = open(target.href);
    await through.query(measure, ['']);
    for (const client of clients) client.unpipe().pause();
    const answered = through.query(measure, [large]);
    await Promise.resolve();
    const sent = through.sent();
    expect(await isSettled(sent)).toBe(false);
    await sent;
    expect(await isSettled(through.sent())).toBe(true);
    for (const client of clients) client.destroy();
    await expect(answered).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    // The next connection is another: what it sends is waited for.
    await through.query(measure, ['']);
    const again = through.query(measure, [large]);
    await Promise.resolve();
    expect(await isSettled(through.sent())).toBe(false);
    expect(await again).toEqual([[String(large.length)]]);
    await through.close();
    for (const client of clients) client.destroy();
    between.close();
    await once(between, 'close');
  });
});
