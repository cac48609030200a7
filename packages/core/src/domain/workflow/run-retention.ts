/** How long runs that have ended are kept: what a definition says in its `metadata`. Pure. */

/** Without a field there is no such bound: runs are kept until somebody removes them. */
export interface RunRetention {
  /** A run is forgotten when it ended so long ago, in ms. */
  readonly maxAgeMs?: number;
  /** Of each workflow so many that have ended are kept, those that began last; 0 to 100,000. */
  readonly maxCount?: number;
}

export const keptCountMax = 100_000;
/** 100 years. */
const keptSecondsMax = 3_155_760_000;

/** Where it stands in the `metadata` of a definition. */
export const retentionField = 'lineshaft.retention';

/** What is wrong with it, by field. */
export function retentionTroubles(
  retention: unknown,
): { readonly field: string; readonly message: string }[] {
  if (typeof retention !== 'object' || retention === null || Array.isArray(retention))
    return [{ field: '', message: 'must be an object with maxAgeSeconds, maxCount' }];
  const most: Readonly<Record<string, number>> = { maxAgeSeconds: keptSecondsMax, maxCount: keptCountMax };
  return Object.entries(retention).flatMap(([field, value]) => {
    const limit = Object.hasOwn(most, field) ? most[field] : undefined;
    if (limit === undefined) return [{ field, message: 'is none of maxAgeSeconds, maxCount' }];
    const fine = value === null || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= limit);
    return fine ? [] : [{ field, message: `must be a whole number from 0 to ${limit}, or null` }];
  });
}

/**
 * What a definition says; null in it: no bound, whatever holds for others.
 *
 * @param retention what is not as it should be says nothing
 */
export function ownRetention(retention: unknown): {
  maxAgeMs?: number | undefined;
  maxCount?: number | undefined;
} {
  if (retention === undefined || retention === null || retentionTroubles(retention).length > 0) return {};
  const { maxAgeSeconds, maxCount } = retention as {
    maxAgeSeconds?: number | null;
    maxCount?: number | null;
  };
  return {
    ...(maxAgeSeconds === undefined
      ? {}
      : { maxAgeMs: maxAgeSeconds === null ? undefined : maxAgeSeconds * 1_000 }),
    ...(maxCount === undefined ? {} : { maxCount: maxCount ?? undefined }),
  };
}
