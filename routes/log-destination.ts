import { write, writeSync } from 'node:fs'

/** Lines that come while this much waits are dropped. In UTF-16 units. */
const WAITING_MAX = 1024 * 1024
/** How long a pipe that is full is left alone, in ms. */
const RETRY = 100

/**
 * Writes log lines to a file descriptor, in order and without blocking, many at a time where many wait. A line that
 * cannot be written is dropped. Pino's own destination keeps all of them: on a full device memory grows, and the end
 * of the process is a loop that nothing leaves.
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

  /** Whatever ends the process: the last lines say why. */
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
