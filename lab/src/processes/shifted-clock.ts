/**
 * Loaded before everything else in a process of the lab (`node --import`): the time of day that the program sees is
 * the machine's plus an offset, which the lab changes by a message. Timers and the monotonic clock are the machine's,
 * as they are when somebody sets the clock of a computer.
 */
import type { Command } from './settings.ts';

const TrueDate = Date;
let offsetMs = 0;

class ShiftedDate extends TrueDate {
  constructor(...parts: [] | [number | string | Date]) {
    if (parts.length === 0) super(TrueDate.now() + offsetMs);
    else super(...parts);
  }

  static override now(): number {
    return TrueDate.now() + offsetMs;
  }
}

globalThis.Date = ShiftedDate as DateConstructor;
process.on('message', (message: Command) => {
  if (message.command === 'clock') offsetMs = message.offsetMs;
});
// Hearing messages alone keeps no process alive.
process.channel?.unref();
