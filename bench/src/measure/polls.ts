/** A server and its clients, each a process of its own, or both in one where polls go straight to core. */
import type { Agent } from '../agent-handle.ts';
import type { Context, Seat } from '../context.ts';
import type { OpenStore } from '../stores.ts';
import { findSystem } from '../systems/catalog.ts';

export interface PollSite {
  readonly store: OpenStore;
  /** What is measured: the server, or the process that polls core. */
  readonly server: Agent;
  readonly client: Agent;
  /** Where the clients poll; empty: in the process. */
  readonly url: string;
}

/** @param http whether clients poll over HTTP, from another process */
export async function withPollSite<Result>(
  context: Context,
  http: boolean,
  measure: (site: PollSite) => Promise<Result>,
): Promise<Result> {
  const system = { ...findSystem('lineshaft'), module: 'lineshaft-polls.ts' };
  const seat: Seat = { system, setup: http ? 'http' : 'core', purpose: 'latency', keepHistory: true };
  const store = await context.stores.open(system);
  const agents: Agent[] = [];
  try {
    const server = await context.agent(seat, store);
    agents.push(server);
    await server.call('prepare', {});
    // Its services run in either case.
    const served = String(await server.call('extra', { name: 'serve', args: {} }));
    const client = http ? await context.agent(seat, store) : server;
    if (http) agents.push(client);
    return await measure({ store, server, client, url: http ? served : '' });
  } finally {
    await Promise.all(agents.map((agent) => agent.end()));
    await store.drop();
  }
}
