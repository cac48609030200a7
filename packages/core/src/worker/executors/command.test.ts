import { describe, expect, it } from 'vitest';
import type { HandlerSource } from '../handler.ts';
import { describeExecutor, makeAttempt, Rig, untilEnded } from './executor.conformance.ts';

const obey = `trap 'exit 1' TERM; echo ready >&2; while :; do sleep 0.02; done`;

describeExecutor({
  name: 'command',
  handlers: {
    echo: { type: 'command', command: 'cat' },
    nothing: { type: 'command', command: 'true' },
    fail: shell('echo wrong >&2; exit 1'),
    hang: shell(`trap '' TERM; while :; do sleep 0.02; done`),
    obey: shell(obey),
  },
  refused: { type: 'function', handler: () => undefined },
  holdsMemory: true,
});

describe('executor command', () => {
  it('refuses at its start a program that is not there', async () => {
    for (const command of ['no-such-program', '/no/such/program', './no-such-program']) {
      const rig = new Rig('command', { wrong: { type: 'command', command } });
      await expect(rig.executor.start()).rejects.toMatchObject({ code: 'HANDLER_INVALID' });
    }
  });

  it('tells the program its job, and takes what is no JSON for a text', async () => {
    const show = 'echo "$LINESHAFT_JOB_ID $LINESHAFT_KIND $LINESHAFT_ATTEMPT $LINESHAFT_QUEUE $MINE $(pwd)"';
    const source: HandlerSource = { ...shell(show), env: { MINE: 'mine' }, cwd: '/' };
    await using rig = await Rig.start('command', { show: source });
    const attempt = makeAttempt('show', null, { queue: 'mail', attempt: 3 });
    expect(await rig.recorder.outcome(rig.run(attempt))).toMatchObject({
      outputText: `"${attempt.jobId} show 3 mail mine /"`,
    });
  });

  it.each([
    [1, true],
    [75, true],
    [64, false],
    [65, false],
    [66, false],
    [78, false],
    [126, false],
    [127, false],
  ])('fails with exit code %i, which can be tried again: %s', async (code, retryable) => {
    await using rig = await Rig.start('command', { fail: shell(`exit ${code}`) });
    expect(await rig.outcomeOf('fail')).toMatchObject({
      type: 'failed',
      retryable,
      error: { code: 'COMMAND_FAILED' },
    });
  });

  it('can be tried again when a signal ends it', async () => {
    await using rig = await Rig.start('command', { fail: shell('kill -9 $$') });
    expect(await rig.outcomeOf('fail')).toMatchObject({
      type: 'failed',
      retryable: true,
      error: { code: 'COMMAND_FAILED', message: expect.stringContaining('SIGKILL') },
    });
  });

  it('logs standard error line by line, and keeps its end in the error', async () => {
    const source = shell('for n in $(seq 2000); do echo "line $n"; done >&2; exit 3');
    await using rig = await Rig.start('command', { fail: source });
    const outcome = await rig.outcomeOf('fail');
    expect(outcome.type === 'failed' && outcome.error.message).toMatch(/exit code 3; .*line 2000$/s);
    const lines = rig.recorder.events.flatMap(({ event }) => (event.type === 'log' ? [event.message] : []));
    expect(lines.slice(0, 2)).toEqual(['line 1', 'line 2']);
    expect(lines.length).toBeLessThan(1_600);
  });

  it('fails for good what writes more than it may', async () => {
    await using rig = await Rig.start('command', { loud: shell('head -c 2000000 /dev/zero') });
    expect(await rig.outcomeOf('loud')).toMatchObject({
      retryable: false,
      error: { code: 'OUTPUT_INVALID' },
    });
  });

  it('keeps a text with NUL characters without them', async () => {
    await using rig = await Rig.start('command', { nul: shell(`printf 'a\\000b'`) });
    expect(await rig.outcomeOf('nul')).toMatchObject({ outputText: '"a\uFFFDb"' });
  });

  it('does not mind a program that does not read its input', async () => {
    await using rig = await Rig.start('command', { deaf: shell('exec <&-; echo 1') });
    expect(await rig.outcomeOf('deaf', 'x'.repeat(500_000))).toMatchObject({ outputText: '1' });
  });

  it('ends what a program leaves running, and does not wait for it', async () => {
    await using rig = await Rig.start('command', { leave: shell('sleep 1000 & echo $!') });
    const outcome = await rig.outcomeOf('leave');
    const pid = Number(outcome.type === 'succeeded' ? outcome.outputText : Number.NaN);
    await untilEnded(pid);
  });

  it('ends the whole tree at the time limit, also what does not heed SIGTERM', async () => {
    const source = shell(`(trap '' TERM; echo $$ >&2; while :; do sleep 0.02; done) & sleep 1000`);
    await using rig = await Rig.start('command', { tree: source });
    const id = rig.run(makeAttempt('tree', null, { timeoutMs: 200 }));
    const event = await rig.recorder.event(id, ({ type }) => type === 'log');
    expect(await rig.recorder.outcome(id)).toMatchObject({ error: { code: 'TIME_LIMIT_EXCEEDED' } });
    await untilEnded(Number(event.type === 'log' ? event.message : Number.NaN));
  });

  it('ends a program that uses too much memory, together with its children', async () => {
    const source = shell(`sh -c 'x=$(head -c 200000000 /dev/zero | tr "\\\\0" x); sleep 1000'; sleep 1000`);
    await using rig = await Rig.start('command', { eat: source });
    expect(await rig.outcomeOf('eat', null, { memoryBytes: 64 * 1024 * 1024 })).toMatchObject({
      type: 'failed',
      retryable: true,
      error: { code: 'MEMORY_LIMIT_EXCEEDED' },
    });
  });
});

function shell(script: string): Extract<HandlerSource, { type: 'command' }> {
  return { type: 'command', command: 'sh', args: ['-c', script] };
}
