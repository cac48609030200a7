/**
 * Evaluates JavaScript in QuickJS: an interpreter in WebAssembly, which sees nothing of this process: no files, no network,
 * no clock but its own. Each evaluation has a world of its own. Runs only in threads of the evaluator.
 */

import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSSyncVariant,
  type QuickJSWASMModule,
  Scope,
} from 'quickjs-emscripten-core';
import { BrokenError, type ThreadSettings } from './evaluator-protocol.ts';

/** Far below what WebAssembly has: a script that recurses too deep gets an error that is its own. */
const stackBytes = 256 * 1024;
/** A runtime is made anew after so many evaluations, so that nothing piles up in it. */
const evaluationsPerRuntime = 1_000;
const messageMaxLength = 1_000;
const fileName = 'expression.js';

/** Errors of the language itself: of these, and of what is no error, Conductor says the line; of `new Error` it does not. */
const ownError = /^(?:Eval|Internal|Range|Reference|Syntax|Type|URI)Error: /;

/**
 * Answers functions, which keep what they need of the world as it was before the script: one makes the input, one makes
 * JSON of a result, two tell what an error says and where it came up. Numbers that JSON has not become texts, as Conductor's do; BigInts too.
 */
const prelude = `(() => {
  const { parse, stringify } = JSON, { isFinite } = Number, toText = String, OwnError = Error;
  const quiet = () => {};
  globalThis.print = quiet;
  globalThis.console = { log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet };
  const plain = (_name, value) =>
    typeof value === 'bigint' || (typeof value === 'number' && !isFinite(value)) ? toText(value) : value;
  return [
    (text) => { globalThis.$ = parse(text); },
    (value) => stringify(value, plain) ?? 'null',
    (error) => (typeof error === 'object' && error !== null && 'message' in error
      ? toText(error.name ?? 'Error') + ': ' + toText(error.message)
      : toText(error)),
    (error) => (error instanceof OwnError ? toText(error.stack) : ''),
  ];
})()`;

export class JavaScript {
  private readonly module: QuickJSWASMModule;
  private readonly settings: ThreadSettings;
  private runtime: QuickJSRuntime | undefined;
  private evaluations = 0;
  private deadline = 0;

  static async load(settings: ThreadSettings): Promise<JavaScript> {
    // Its types say that the default export has another inside; as a module of ES it has none.
    const { default: variant } = await import('@jitl/quickjs-wasmfile-release-sync');
    const module = await newQuickJSWASMModuleFromVariant(variant as unknown as QuickJSSyncVariant);
    return new JavaScript(module, settings);
  }

  private constructor(module: QuickJSWASMModule, settings: ThreadSettings) {
    this.module = module;
    this.settings = settings;
  }

  /**
   * The JSON of what a script answers: the value of its last statement; of a body, what it returns.
   *
   * @throws Error with the message of the script's error; BrokenError
   */
  evaluate(expression: string, body: boolean, input: string): string {
    // The line break ends a comment at the end of the script.
    const source = body ? `(function () {${expression}\n})()` : expression;
    try {
      const runtime = this.freshRuntime();
      const context = runtime.newContext();
      try {
        return this.run(context, source, input);
      } finally {
        context.dispose();
      }
    } catch (error) {
      if (error instanceof ScriptError) {
        // Who has failed may have left a heap full of what is not collected yet.
        this.runtime?.dispose();
        this.runtime = undefined;
        throw error;
      }
      throw new BrokenError(`the script broke its interpreter: ${(error as Error).message}`);
    }
  }

  private freshRuntime(): QuickJSRuntime {
    this.evaluations += 1;
    if (this.evaluations % evaluationsPerRuntime === 0) {
      this.runtime?.dispose();
      this.runtime = undefined;
    }
    if (this.runtime === undefined) {
      this.runtime = this.module.newRuntime();
      this.runtime.setMemoryLimit(this.settings.memoryBytes);
      this.runtime.setMaxStackSize(stackBytes);
      this.runtime.setInterruptHandler(() => Date.now() > this.deadline);
    }
    return this.runtime;
  }

  private run(context: QuickJSContext, source: string, input: string): string {
    this.deadline = Number.POSITIVE_INFINITY;
    // All that is held is let go at the end: a runtime with something held can't be disposed of.
    return Scope.withScope((scope) => {
      const lines = source.trimEnd().split('\n').length;
      const world: World = { context, scope, telling: undefined, lines };
      const parts = this.valueOf(world, context.evalCode(prelude, 'prelude.js'));
      const part = (at: number) => scope.manage(context.getProp(parts, at));
      const [setInput, toJson] = [part(0), part(1)];
      const telling = { message: part(2), stack: part(3) };
      const call = (callee: QuickJSHandle, argument: QuickJSHandle) =>
        this.valueOf({ ...world, telling }, context.callFunction(callee, context.undefined, argument));
      this.deadline = Date.now() + this.settings.timeoutMs;
      call(setInput, scope.manage(context.newString(input)));
      const value = this.valueOf({ ...world, telling }, context.evalCode(source, fileName));
      const json = call(toJson, value);
      const length = context.getNumber(scope.manage(context.getProp(json, 'length')));
      if (length > this.settings.resultMaxLength)
        throw new ScriptError(`the result is longer than ${this.settings.resultMaxLength} characters`);
      return context.getString(json);
    });
  }

  private valueOf(world: World, result: ReturnType<QuickJSContext['evalCode']>): QuickJSHandle {
    if (result.error === undefined) return world.scope.manage(result.value);
    const error = world.scope.manage(result.error);
    const message = this.told(world, world.telling?.message, error);
    const stack = this.told(world, world.telling?.stack, error);
    const late = Date.now() > this.deadline || message === 'InternalError: interrupted';
    throw new ScriptError(
      late
        ? `the script ran longer than ${this.settings.timeoutMs} ms`
        : describe(message, stack, world.lines),
    );
  }

  /** What the script threw may be anything, and its message a getter: it is asked for inside. */
  private told(
    { context, scope }: World,
    asked: QuickJSHandle | undefined,
    error: QuickJSHandle,
  ): string | undefined {
    if (asked === undefined || Date.now() > this.deadline) return undefined;
    const answer = context.callFunction(asked, context.undefined, error);
    if (answer.error !== undefined) {
      scope.manage(answer.error);
      return undefined;
    }
    return context.getString(scope.manage(answer.value)).slice(0, messageMaxLength);
  }
}

/** As Conductor tells it, in the words of its interpreter where ours has others for the same. */
function describe(message: string | undefined, stack: string | undefined, lines: number): string {
  if (message === undefined) return 'the script failed';
  const text = message
    .replace(/^TypeError: cannot (read|set) property/, 'TypeError: Cannot $1 property')
    .replace(/^ReferenceError: '([^']*)' is not defined$/, 'ReferenceError: $1 is not defined');
  const line =
    stack === '' && lines === 1 ? 1 : ownError.test(message) && /expression\.js:(\d+)/.exec(stack ?? '')?.[1];
  return `Error evaluating the script \`${text}\`${line ? ` at line ${line}` : ''}`;
}

interface World {
  readonly context: QuickJSContext;
  readonly scope: Scope;
  /** What tells of an error, once the prelude has made it. */
  /** How many lines the script has. */
  readonly lines: number;
  readonly telling: { readonly message: QuickJSHandle; readonly stack: QuickJSHandle } | undefined;
}

/** The script's own failure; its interpreter is in order. */
class ScriptError extends Error {
  override readonly name = 'ScriptError';
}
