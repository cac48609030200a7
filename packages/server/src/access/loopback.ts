/** Whether an address is of this machine alone. */

import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv6 } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** A name is, if all its addresses are. @throws what the resolver says of a name that it does not know */
export async function isLoopback(host: string): Promise<boolean> {
  if (isIP(host) !== 0) return within(host);
  const addresses = await lookup(host, { all: true });
  return addresses.length > 0 && addresses.every(({ address }) => within(address));
}

function within(address: string): boolean {
  return loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
