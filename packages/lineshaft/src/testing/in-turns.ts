/** Three at a time: more would only wait for the processors. */
export async function inTurns<Result>(work: readonly (() => Promise<Result>)[]): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const runner = async (): Promise<void> => {
    for (let at = next++; at < work.length; at = next++) {
      const job = work[at];
      if (job !== undefined) results[at] = await job();
    }
  };
  await Promise.all([runner(), runner(), runner()]);
  return results;
}
