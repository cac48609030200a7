/**
 * Evaluates jq programs: jq itself, in WebAssembly, with a file system of its own in memory. It can't be interrupted, so
 * whoever runs it must be able to end its thread. Runs only in threads of the evaluator.
 */

import { BrokenError, type ThreadSettings } from './evaluator-protocol.ts';

interface Jq {
  raw(json: string, filter: string, flags: readonly string[]): string | undefined;
}

const pageBytes = 65_536;
const messageMaxLength = 1_000;

export class JqPrograms {
  private readonly jq: Jq;
  private readonly settings: ThreadSettings;

  static async load(settings: ThreadSettings): Promise<JqPrograms> {
    boundMemory(settings.memoryBytes);
    // What jq shows of its environment (`env._`) is the name of the program.
    process.argv[1] = 'jq';
    const { default: loaded } = await import('jq-web');
    return new JqPrograms(await loaded, settings);
  }

  private constructor(jq: Jq, settings: ThreadSettings) {
    this.jq = jq;
    this.settings = settings;
  }

  /** The JSON of each result. @throws Error with jq's message; BrokenError */
  evaluate(program: string, input: string): readonly string[] {
    let output: string | undefined;
    try {
      // The space keeps a program that begins with `-` from being an option.
      output = this.jq.raw(input, ` ${program}`, ['-c']);
    } catch (error) {
      throw typeof (error as { exitCode?: unknown }).exitCode === 'number'
        ? new Error(messageOf((error as Error).message))
        : new BrokenError('the program needs more memory than is allowed');
    }
    const text = output ?? '';
    if (text.length > this.settings.resultMaxLength)
      throw new Error(`the results are longer than ${this.settings.resultMaxLength} characters`);
    return text.split('\n').filter((line) => line !== '');
  }
}

/** jq's words without those of the program around it. */
function messageOf(message: string): string {
  return message
    .replace(/^Non-zero exit code: \d+\n?/, '')
    .replace(/^jq: error(?: \(at [^)]*\))?: /, '')
    .trim()
    .slice(0, messageMaxLength);
}

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** A machine that asks for more memory than is allowed gets none. Of this thread only, which is there for nothing else. */
function boundMemory(memoryBytes: number): void {
  const { prototype } = (globalThis as unknown as { WebAssembly: { Memory: { prototype: WasmMemory } } })
    .WebAssembly.Memory;
  const grow = prototype.grow;
  prototype.grow = function bounded(pages: number): number {
    if (this.buffer.byteLength + pages * pageBytes > memoryBytes) throw new RangeError('out of memory');
    return grow.call(this, pages);
  };
}
