/**
 * Asks a server whether it takes sessions, by opening one: the few bytes of the PostgreSQL protocol
 * (version 3) that this needs, so that the keeper loads no driver. Reference: PostgreSQL documentation,
 * "Message Formats".
 */
import { connect } from 'node:net';

/** `absent`: nobody listens; `starting`: it listens and asks for patience; `ready`: it answers sessions. */
export type ProbeResult = 'absent' | 'starting' | 'ready';

const protocolVersion = 196_608;
const cannotConnectNow = '57P03';

/** Opens a session on the socket and closes it again; takes no longer than `limitMs`. */
export function probe(socketPath: string, limitMs = 2000): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    let received: Buffer = Buffer.alloc(0);
    const finish = (result: ProbeResult) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(limitMs, () => finish('starting'));
    socket.on('connect', () => socket.write(startupMessage({ user: 'lineshaft', database: 'lineshaft' })));
    socket.on('error', () => finish('absent'));
    socket.on('close', () => finish('starting'));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const answer = readAnswer(received);
      if (answer === undefined) return;
      // Terminate, so that the server does not log a broken connection.
      if (answer === 'ready') socket.write(Buffer.from([0x58, 0, 0, 0, 4]), () => finish(answer));
      else finish(answer);
    });
  });
}

function startupMessage(parameters: Readonly<Record<string, string>>): Buffer {
  const text = Object.entries(parameters)
    .map(([name, value]) => `${name}\0${value}\0`)
    .join('');
  const message = Buffer.alloc(8 + Buffer.byteLength(text) + 1);
  message.writeInt32BE(message.length, 0);
  message.writeInt32BE(protocolVersion, 4);
  message.write(text, 8);
  return message;
}

/** What the messages so far say; undefined when the deciding one has not come yet. */
function readAnswer(bytes: Buffer): ProbeResult | undefined {
  for (let at = 0; at + 5 <= bytes.length; ) {
    const type = String.fromCharCode(bytes.readUInt8(at));
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end > bytes.length) return undefined;
    if (type === 'Z') return 'ready';
    // A server that refuses for another reason (too many sessions) is up, and its users are told by it.
    if (type === 'E')
      return bytes.toString('latin1', at, end).includes(`C${cannotConnectNow}\0`) ? 'starting' : 'ready';
    at = end;
  }
  return undefined;
}
