/** Settles as `work` does, or with the result of `late` after `ms`. */
export async function withDeadline<T>(work: Promise<T>, ms: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<void>((resolve) => {
    // One more turn for the sockets: after a stall, an answer may have arrived unread.
    timer = setTimeout(() => setImmediate(resolve), ms)
  })
  return Promise.race([work, passed.then(late)]).finally(() => clearTimeout(timer))
}
