/** Searches of workflows: by what is known of them, or of their tasks. */

import type { Found, Run, RunSearch, RunView, Workflows } from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { json } from '../answers.ts';
import { queryFlag, queryText } from '../given.ts';
import { flag, found, searchQuery, text } from '../parameters.ts';
import { addRoute } from '../route.ts';
import { foundText, workflowSummaryText } from '../wire/summary.ts';
import { workflowText } from '../wire/workflow.ts';
import { searchOf } from './queues.ts';

const sizeMax = 5_000;

export function addWorkflowSearch(app: FastifyInstance, workflows: Workflows): void {
  const add = (path: string, whole: boolean, find: (search: RunSearch) => Promise<Found<Run>>): void =>
    addRoute(app, {
      method: 'GET',
      paths: [path],
      tag: 'workflow',
      summary: `Search workflows${path.includes('by-tasks') ? ' by their tasks' : ''}: ${whole ? 'whole ones, without their tasks' : 'summaries'}`,
      query: { ...searchQuery, classifier: text, topLevelOnly: flag(false) },
      answers: { 200: found('Workflows') },
      handle: async (request, reply) => {
        const runs = await find(runSearchOf(request));
        if (!whole) return json(reply, foundText(runs, workflowSummaryText));
        return json(
          reply,
          foundText(await wholeRuns(workflows, runs), (view) => workflowText(view, false)),
        );
      },
    });
  const byRuns = (search: RunSearch): Promise<Found<Run>> => workflows.searchRuns(search);
  const byTasks = (search: RunSearch): Promise<Found<Run>> => runsOfTasks(workflows, search);
  add('/workflow/search', false, byRuns);
  add('/workflow/search-v2', true, byRuns);
  add('/workflow/search-by-tasks', false, byTasks);
  add('/workflow/search-by-tasks-v2', true, byTasks);
}

function runSearchOf(request: FastifyRequest): RunSearch {
  const classifier = queryText(request, 'classifier');
  const topLevelOnly = queryFlag(request, 'topLevelOnly', false);
  return {
    ...searchOf(request, sizeMax),
    ...(classifier === undefined || classifier === '' ? {} : { classifier }),
    ...(topLevelOnly ? { topLevelOnly } : {}),
  };
}

/** The runs of the tasks that are found, each once. */
async function runsOfTasks(workflows: Workflows, search: RunSearch): Promise<Found<Run>> {
  const { totalHits, results } = await workflows.searchSteps(search);
  const ids = [...new Set(results.map(({ run }) => run.id))];
  const views = await showAll(workflows, ids, false);
  return { totalHits, results: views.map(({ run }) => run) };
}

/** Without their tasks, as Conductor shows them here. */
async function wholeRuns(workflows: Workflows, runs: Found<Run>): Promise<Found<RunView>> {
  const ids = runs.results.map(({ id }) => id);
  return { totalHits: runs.totalHits, results: await showAll(workflows, ids, false) };
}

const shownAtOnce = 8;

/** In the order of the ids; those that were removed meanwhile are left out. */
export async function showAll(
  workflows: Workflows,
  ids: readonly string[],
  steps: boolean,
): Promise<RunView[]> {
  const views: RunView[] = [];
  for (let from = 0; from < ids.length; from += shownAtOnce) {
    const some = ids.slice(from, from + shownAtOnce).map((id) => workflows.show(id, { steps }));
    for (const shown of await Promise.allSettled(some)) {
      if (shown.status === 'fulfilled') views.push(shown.value);
    }
  }
  return views;
}
