/** What a scenario is, and the definitions that most of them are made of. */
import type { Conversation } from '../conversation.ts';

export interface Scenario {
  readonly name: string;
  run(talk: Conversation): Promise<void>;
}

export type Json = Readonly<Record<string, unknown>>;

/** A worker step: its task's name is the scenario's and the reference's together, so that no other polls it. */
export function simple(workflow: string, reference: string, more: Json = {}): Json {
  return step('SIMPLE', reference, { name: `${workflow}_${reference}`, ...more });
}

export function step(type: string, reference: string, more: Json = {}): Json {
  return { name: reference, taskReferenceName: reference, type, ...more };
}

export function workflow(name: string, tasks: readonly Json[], more: Json = {}): Json {
  return { name, version: 1, schemaVersion: 2, ownerEmail: 'owner@example.org', tasks, ...more };
}

/** Registers a definition as a part of the conversation. */
export async function define(talk: Conversation, name: string, tasks: readonly Json[], more: Json = {}) {
  await talk.post('/metadata/workflow', workflow(name, tasks, more));
}

/** Registers task definitions that fail at once unless they say otherwise. */
export async function defineTasks(talk: Conversation, ...tasks: readonly Json[]): Promise<void> {
  const defaults = {
    retryCount: 0,
    timeoutSeconds: 0,
    responseTimeoutSeconds: 600,
    ownerEmail: 'owner@example.org',
  };
  await talk.post(
    '/metadata/taskdefs',
    tasks.map((task) => ({ ...defaults, ...task })),
  );
}
