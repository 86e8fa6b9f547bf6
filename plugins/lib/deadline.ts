/**
 * Settles as `work` does or, once `ms` have passed, as `late` says. The timer goes with the answer.
 */
export async function withDeadline<T>(work: Promise<T>, ms: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<void>((resolve) => {
    // The sockets get one more turn: after a stall, an answer may have arrived and not have been read yet.
    timer = setTimeout(() => setImmediate(resolve), ms)
  })
  return Promise.race([work, passed.then(late)]).finally(() => clearTimeout(timer))
}
