/** All types of steps, by the name that definitions use. */

import type { StepDefinition } from '../definition.ts';
import type { Step } from '../run.ts';
import { dynamicFork } from './dynamic-fork.ts';
import { fork } from './fork.ts';
import { event, kafkaPublish, noop, setVariable } from './immediate.ts';
import { inline, jsonJq, lambda } from './inline.ts';
import { exclusiveJoin, join } from './join.ts';
import { doWhile } from './loop.ts';
import type { StepType } from './step-type.ts';
import { startWorkflow, subWorkflow } from './sub-workflow.ts';
import { decision, switchStep } from './switch.ts';
import { terminate } from './terminate.ts';
import { human, wait } from './wait.ts';
import { dynamic, http, pullMessages, simple, userDefined } from './worker.ts';

const types = new Map<string, StepType>([
  ['SIMPLE', simple],
  ['CUSTOM', simple],
  ['DYNAMIC', dynamic],
  ['HTTP', http],
  ['PULL_WORKFLOW_MESSAGES', pullMessages],
  ['SWITCH', switchStep],
  ['DECISION', decision],
  ['FORK_JOIN', fork],
  ['FORK_JOIN_DYNAMIC', dynamicFork],
  ['JOIN', join],
  ['EXCLUSIVE_JOIN', exclusiveJoin],
  ['DO_WHILE', doWhile],
  ['SUB_WORKFLOW', subWorkflow],
  ['START_WORKFLOW', startWorkflow],
  ['WAIT', wait],
  ['HUMAN', human],
  ['EVENT', event],
  ['INLINE', inline],
  ['LAMBDA', lambda],
  ['JSON_JQ_TRANSFORM', jsonJq],
  ['SET_VARIABLE', setVariable],
  ['TERMINATE', terminate],
  ['NOOP', noop],
  ['KAFKA_PUBLISH', kafkaPublish],
]);

/** What a definition asks for; a type that is not ours is one of the user's workers. */
export function typeOfDefinition(definition: StepDefinition): StepType {
  return types.get(definition.type ?? 'SIMPLE') ?? userDefined;
}

export function typeOfStep(step: Step): StepType {
  return typeOfDefinition(step.definition);
}
