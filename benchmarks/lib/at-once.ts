/** Runs `work` for 0 to `count` - 1, at most `width` at a time. @returns the results in their order */
export async function atOnce<T>(
  width: number,
  count: number,
  work: (index: number) => Promise<T>,
): Promise<T[]> {
  const results = new Array<T>(count)
  let next = 0
  async function go(): Promise<void> {
    while (next < count) {
      const index = next++
      results[index] = await work(index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, count) }, go))
  return results
}
