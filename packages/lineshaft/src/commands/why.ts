/** `lineshaft why ID | QUEUE | KIND`: why a job waits, or the jobs of a queue or a kind, and what would mend it. */

import type { Why } from '@lineshaft/core';
import type { Command } from 'commander';
import type { Data } from '../data.ts';
import { describeWhy } from '../output/describe-why.ts';
import { action, type Context, type Session } from './context.ts';

interface WhyFlags {
  readonly kind?: boolean;
  readonly project?: string;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function addWhy(program: Command, session: Session): void {
  program
    .command('why')
    .description('why a job waits, or the jobs of a queue or a kind, and the command that would mend it')
    .argument('<what>', 'id of a job, name or slug of a queue, or a kind')
    .option('-k, --kind', 'it is a kind, also where a queue has the same name')
    .option('--project <name>', 'project of the queue (default: default)')
    .action(action<WhyFlags>(session, why));
}

async function why({ args: [what = ''], flags, screen, open }: Context<WhyFlags>): Promise<undefined> {
  const { data } = await open();
  const found = await ask(what, flags, data);
  screen.result(found, () => describeWhy(found, screen));
  return undefined;
}

async function ask(what: string, { kind, project }: WhyFlags, data: Data): Promise<Why> {
  if (kind === true) return await data.why({ kind: what });
  if (uuid.test(what)) return await data.why({ job: what });
  const { isLineshaftError, LineshaftError } = await import('@lineshaft/core');
  try {
    return await data.why({ queue: what, ...(project === undefined ? {} : { project }) });
  } catch (noQueue) {
    if (!isLineshaftError(noQueue, 'QUEUE_NOT_FOUND') || project !== undefined) throw noQueue;
    try {
      return await data.why({ kind: what });
    } catch (noKind) {
      if (!isLineshaftError(noKind, 'KIND_NOT_FOUND')) throw noKind;
      const meant = [noQueue, noKind].flatMap(
        ({ message }) => /did you mean '([^']*)'/.exec(message)?.[1] ?? [],
      );
      throw new LineshaftError('KIND_NOT_FOUND', {
        message: `no queue and no kind is called '${what}'${meant.length === 0 ? '' : `; did you mean '${[...new Set(meant)].join("' or '")}'?`}`,
        details: { what },
      });
    }
  }
}
