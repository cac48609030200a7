declare module 'jq-web' {
  interface Jq {
    /** Texts in and out, as the program has them on standard input and output; throws where it exits with an error. */
    raw(json: string, filter: string, flags: readonly string[]): string | undefined;
  }
  const loaded: Promise<Jq>;
  export default loaded;
}
