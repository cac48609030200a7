import { expect, test } from 'vitest';
import type { Template } from '../domain/validate-job.ts';
import type { PreparedJob } from './enqueue-batch.ts';
import { MetLanes } from './met-lanes.ts';

const job = (template: Template): PreparedJob => ({
  kind: template.kind,
  id: '00000000-0000-7000-8000-000000000000',
  payloadText: '{}',
  template,
  templateKey: JSON.stringify(template),
  uniqueKey: undefined,
  resend: false,
});

/** Writes that end when they are told to. */
function writer(lanes: MetLanes) {
  const begun: string[] = [];
  const write = (name: string, ...templates: Template[]) => {
    const end = Promise.withResolvers<string>();
    const written = lanes.write(templates.map(job), () => {
      begun.push(name);
      return end.promise;
    });
    return { written, end: () => end.resolve(name), fail: () => end.reject(new Error(name)) };
  };
  return { begun, write };
}

/** Until what is ready to go on has gone on. */
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('writes that make lanes go one after the other, others beside them', async () => {
  const { begun, write } = writer(new MetLanes());
  const first = write('first', { kind: 'a' }, { kind: 'a', priority: 3 });
  const same = write('same', { kind: 'a', delayMs: 5 });
  const other = write('other', { kind: 'a', requirements: ['gpu'] });
  await breath();
  expect(begun).toEqual(['first']);
  first.end();
  expect(await first.written).toBe('first');
  await breath();
  // The lane of the second is there by now: it holds nobody up.
  expect(begun).toEqual(['first', 'same', 'other']);
  const known = write('known', { kind: 'a', labels: { of: 'ada' } });
  expect(begun).toEqual(['first', 'same', 'other', 'known']);
  const waits = write('waits', { kind: 'b' });
  await breath();
  expect(begun).not.toContain('waits');
  for (const each of [same, other, known]) each.end();
  await breath();
  expect(begun).toContain('waits');
  waits.end();
  await Promise.all([same, other, known, waits].map(({ written }) => written));
});

test('what failed has made nothing, and lets the next go', async () => {
  const { begun, write } = writer(new MetLanes());
  const fails = write('fails', { kind: 'a' });
  const again = write('again', { kind: 'a' });
  const after = write('after', { kind: 'a' });
  await breath();
  fails.fail();
  await expect(fails.written).rejects.toThrow('fails');
  await breath();
  expect(begun).toEqual(['fails', 'again']);
  again.end();
  await again.written;
  await breath();
  expect(begun).toEqual(['fails', 'again', 'after']);
  after.end();
  await after.written;
});

test('whatever makes a lane counts, and nothing else', async () => {
  const { begun, write } = writer(new MetLanes());
  const held = write('held', { kind: 'zero' });
  const different: Template[] = [
    { kind: 'a' },
    { kind: 'a', queue: 'q' },
    { kind: 'a', project: 'p' },
    { kind: 'a', pin: 'min', build: '1' },
    { kind: 'a', pin: 'min', build: '2' },
    { kind: 'a', needs: { gpu: 1 } },
    { kind: 'a', prefers: ['fast'] },
  ];
  const writes = different.map((template, place) => write(String(place), template));
  await breath();
  expect(begun).toEqual(['held']);
  held.end();
  for (const [place, each] of writes.entries()) {
    await breath();
    expect(begun).toEqual(['held', ...different.slice(0, place + 1).map((_, n) => String(n))]);
    each.end();
    await each.written;
  }
});
