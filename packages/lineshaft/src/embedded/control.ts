/**
 * What the keeper and its users say to each other: one JSON object per line, over the keeper's socket. A
 * user is a user for as long as its connection is open, so one that dies, in whatever way, is gone for the
 * keeper too.
 *
 *     keeper → user   { ready } once the server takes sessions; again after each restart
 *                     { failed } when it can't be brought up; { log } for people
 *     user → keeper   { release }; answered by closing the connection, for the last user after the stop
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { anotherUsers, type ErrorData, systemCode } from './errors.ts';

export interface ReadyServer {
  readonly url: string;
  readonly dataDirectory: string;
  readonly majorVersion: number;
  /** Process id of the keeper. */
  readonly keeper: number;
  /** Whether the keeper found the server running. */
  readonly adopted: boolean;
}

export interface KeeperMessage {
  readonly ready?: ReadyServer;
  readonly failed?: ErrorData;
  readonly log?: string;
}

export interface UserMessage {
  readonly release?: true;
}

/** What `keeper.json` holds. */
export interface KeeperFile {
  /** Has the sockets of the keeper and of the server. */
  readonly socketDirectory: string;
}

/** What a keeper process is started with. */
export interface KeeperRequest {
  readonly directory: string;
  readonly settings: Readonly<Record<string, string>>;
}

const longestLineBytes = 64 * 1024;

/** The socket on which the keeper listens. */
export function controlPath(socketDirectory: string): string {
  return join(socketDirectory, 'keeper.sock');
}

/** What `keeper.json` says; undefined if there is none, or none that can be read as such. */
export function readKeeperFile(path: string): KeeperFile | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof content !== 'object' || content === null || !('socketDirectory' in content)) return undefined;
    return typeof content.socketDirectory === 'string'
      ? { socketDirectory: content.socketDirectory }
      : undefined;
  } catch (error) {
    if (systemCode(error) === 'EACCES') throw anotherUsers(path, error);
    return undefined;
  }
}

/** Connects to the keeper of a folder; undefined if none listens. */
export function connectKeeper(keeperFile: string): Promise<Socket | undefined> {
  const found = readKeeperFile(keeperFile);
  if (found === undefined) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const socket = connect(controlPath(found.socketDirectory));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => {
      if (systemCode(error) === 'EACCES') reject(anotherUsers(found.socketDirectory, error));
      else resolve(undefined);
    });
  });
}

/** Sends a message; a peer that has gone is noticed by its connection closing. */
export function sendMessage(socket: Socket, message: KeeperMessage | UserMessage): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls back for every message that comes; a peer that sends anything else is cut off. */
export function onMessage<Message>(socket: Socket, receive: (message: Message) => void): void {
  let pending = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    pending += text;
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    if (pending.length > longestLineBytes) socket.destroy();
    for (const line of lines) {
      try {
        receive(JSON.parse(line) as Message);
      } catch {
        socket.destroy();
      }
    }
  });
}
