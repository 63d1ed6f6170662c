/**
 * What `work` gives, unless it takes longer than `limit` milliseconds.
 * @throws Error that names what was waited for
 */
export async function within<Value>(
  limit: number,
  what: string,
  work: Promise<Value>,
): Promise<Value> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${what}: not within ${limit} ms`)), limit)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
