import { write, writeSync } from 'node:fs'

/** In UTF-16 units. New lines are dropped while this much text waits. */
const WAITING_MAX = 1024 * 1024
/** The wait before the next write to a full pipe, in ms. */
const RETRY = 100

/**
 * Writes log lines to a file descriptor, in order and without blocking. Waiting lines are written together. A line
 * that cannot be written is dropped. Pino's own destination keeps all lines: on a full device, memory grows, and the
 * process loops for ever when it ends.
 * @param tell called with the fault when writing begins to fail
 * @returns a plain object, since fastify-cli copies what it is given
 */
export function logDestination(fd: number, tell: (error: Error) => void) {
  let waiting = ''
  let isWriting = false
  let isFailing = false

  function next(): void {
    isWriting = waiting !== ''
    if (!isWriting) return
    const lines = Buffer.from(waiting)
    waiting = ''
    send(lines)
  }

  function send(lines: Buffer): void {
    write(fd, lines, (error, written) => {
      if (error?.code === 'EAGAIN') setTimeout(send, RETRY, lines)
      else if (!error && written < lines.length) send(lines.subarray(written))
      else {
        if (error && !isFailing) tell(error)
        isFailing = error !== null
        next()
      }
    })
  }

  /** Called at the end of the process: the last lines say why it ended. */
  function flush(): void {
    try {
      writeSync(fd, waiting)
    } catch {}
  }

  let isUsed = false
  return {
    write(line: string): void {
      if (!isUsed) process.once('exit', flush)
      isUsed = true
      if (waiting.length < WAITING_MAX) waiting += line
      if (!isWriting) next()
    },
  }
}
