/**
 * A definition made ready for decisions, once: by reference name its node, with what follows it and what lies inside it. A
 * definition is not changed after it was given here; what was made of it is kept as long as it is (by its identity).
 */

import type { StepDefinition, WorkflowDefinition } from './definition.ts';

export interface Node {
  readonly definition: StepDefinition;
  /** Without `__N`. */
  readonly ref: string;
  /** What comes when it has ended well. */
  next: Next;
  /** The first node of each case (undefined: the case is empty), of SWITCH and DECISION. */
  readonly cases: ReadonlyMap<string, Node | undefined>;
  defaultCase: Node | undefined;
  /** The first node of each branch, of FORK_JOIN. */
  readonly branches: readonly Node[];
  /** What is done in each iteration, of DO_WHILE: its nodes in their order. */
  readonly body: readonly Node[];
  /** All nodes inside a DO_WHILE, those of loops within it excepted. */
  readonly inside: readonly Node[];
}

/** A node while it is made. */
interface Unfinished extends Node {
  readonly cases: Map<string, Node | undefined>;
  readonly branches: Node[];
  readonly body: Node[];
  readonly inside: Node[];
}

export type Next =
  | { readonly type: 'node'; readonly node: Node }
  /** The end of a branch: its JOIN knows what it waits for. */
  | { readonly type: 'branch-end' }
  | { readonly type: 'iteration-end' }
  | { readonly type: 'end' };

export interface Compiled {
  readonly first: Node | undefined;
  readonly byRef: ReadonlyMap<string, Node>;
}

/** A branch that came at run time: one step, with what it has inside. */
export interface Branch {
  readonly root: Node;
  /** All its nodes by their refs; none where it is one step without anything inside, which tells all itself. */
  readonly byRef: ReadonlyMap<string, Node>;
}

const workflows = new WeakMap<WorkflowDefinition, Compiled>();
const branches = new WeakMap<StepDefinition, Branch>();

export function compile(definition: WorkflowDefinition): Compiled {
  const known = workflows.get(definition);
  if (known !== undefined) return known;
  const compiled = compileList(definition.tasks ?? [], { type: 'end' });
  workflows.set(definition, compiled);
  return compiled;
}

export function compileBranch(definition: StepDefinition): Branch {
  // Of those there may be ten thousand: nothing is made for each that is kept.
  if (!withSteps.has(definition.type ?? 'SIMPLE')) return { root: plainNode(definition), byRef: noNodes };
  const known = branches.get(definition);
  if (known !== undefined) return known;
  const { first, byRef } = compileList([definition], branchEnd);
  if (first === undefined) throw new Error('a list of one step has a first');
  const branch = { root: first, byRef };
  branches.set(definition, branch);
  return branch;
}

/** The definition of the step with this ref, also with `__N`; undefined: it came at run time. */
export function definitionOf(definition: WorkflowDefinition, ref: string): StepDefinition | undefined {
  return findNode(compile(definition).byRef, ref)?.definition;
}

/** The node of a ref, which may carry the `__N` of iterations. */
export function findNode(byRef: Pick<ReadonlyMap<string, Node>, 'get'>, ref: string): Node | undefined {
  let name = ref;
  for (;;) {
    const node = byRef.get(name);
    if (node !== undefined) return node;
    const shorter = name.replace(/__\d+$/, '');
    if (shorter === name) return undefined;
    name = shorter;
  }
}

/** A list of steps to be made into nodes, with what follows the last. */
interface Pending {
  readonly steps: readonly StepDefinition[];
  readonly after: Next;
  readonly loop: Unfinished | undefined;
  readonly place: (nodes: readonly Node[]) => void;
}

/** Definitions may be nested deep: a list of what is to be done, no recursion. */
function compileList(steps: readonly StepDefinition[], after: Next): Compiled {
  const byRef = new Map<string, Node>();
  let first: Node | undefined;
  const pending: Pending[] = [
    {
      steps,
      after,
      loop: undefined,
      place: ([node]) => {
        first = node;
      },
    },
  ];
  for (let list = pending.pop(); list !== undefined; list = pending.pop()) {
    const nodes = list.steps.map(emptyNode);
    for (const [index, node] of nodes.entries()) {
      const following = nodes[index + 1];
      node.next = following === undefined ? list.after : { type: 'node', node: following };
      byRef.set(node.ref, node);
      list.loop?.inside.push(node);
      pending.push(...listsInside(node, list.loop));
    }
    list.place(nodes);
  }
  return { first, byRef };
}

/** The types of steps that have others inside. */
const withSteps: ReadonlySet<string> = new Set(['SWITCH', 'DECISION', 'FORK_JOIN', 'DO_WHILE']);

function listsInside(node: Unfinished, loop: Unfinished | undefined): Pending[] {
  const { definition } = node;
  switch (definition.type) {
    case 'SWITCH':
    case 'DECISION':
      return [
        ...Object.entries(definition.decisionCases ?? {}).map(
          ([name, steps]): Pending => ({
            steps,
            after: node.next,
            loop,
            place: ([first]) => node.cases.set(name, first),
          }),
        ),
        {
          steps: definition.defaultCase ?? [],
          after: node.next,
          loop,
          place: ([first]) => {
            node.defaultCase = first;
          },
        },
      ];
    case 'FORK_JOIN':
      return (definition.forkTasks ?? []).map((steps, index) => ({
        steps,
        after: branchEnd,
        loop,
        place: ([first]) => {
          if (first !== undefined) node.branches[index] = first;
        },
      }));
    case 'DO_WHILE':
      return [
        {
          steps: definition.loopOver ?? [],
          after: { type: 'iteration-end' },
          loop: node,
          place: (nodes) => node.body.push(...nodes),
        },
      ];
    default:
      return [];
  }
}

const branchEnd: Next = { type: 'branch-end' };
const noNodes: ReadonlyMap<string, never> = new Map<string, never>();
const none: readonly never[] = [];

/** A branch of one step, without anything inside. */
function plainNode(definition: StepDefinition): Node {
  return {
    definition,
    ref: definition.taskReferenceName,
    next: branchEnd,
    cases: noNodes,
    defaultCase: undefined,
    branches: none,
    body: none,
    inside: none,
  };
}

function emptyNode(definition: StepDefinition): Unfinished {
  return {
    definition,
    ref: definition.taskReferenceName,
    next: { type: 'end' },
    cases: new Map(),
    defaultCase: undefined,
    branches: [],
    body: [],
    inside: [],
  };
}
