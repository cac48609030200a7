/** `lineshaft project …`: projects own everything else. */

import type { Command } from 'commander';
import { fullTime } from '../output/describe.ts';
import { action, type Context, type Session } from './context.ts';

export function addProject(program: Command, session: Session): void {
  const project = program.command('project').description('create and list projects');
  project.command('list').description('all projects').action(action(session, list));
  project
    .command('create')
    .description('make a project; harmless if it is there')
    .argument('<name>', '1 to 63 letters, digits or _ . -')
    .action(action(session, create));
}

async function list({ screen, host, open }: Context): Promise<undefined> {
  const { data } = await open();
  const projects = await data.projects();
  screen.result({ projects }, () =>
    screen.table(
      [
        { title: 'id', value: ({ id }) => id, align: 'right' },
        { title: 'name', value: ({ name }) => name },
        { title: 'created', value: ({ createdAt }) => fullTime(createdAt, host.now()) },
      ],
      projects,
    ),
  );
  return undefined;
}

async function create({ screen, args: [name = ''], open }: Context): Promise<undefined> {
  const { data } = await open();
  const { made, id } = await data.createProject(name);
  screen.result(
    { id, name, made },
    () => `project ${name} ${made ? 'is made' : 'was there already'} (id ${id})`,
  );
  return undefined;
}
