import type { FastifyBaseLogger } from 'fastify'

/** Logs one line when a server is lost and one when it is back, not one for each attempt. */
export function connectionLog(log: Pick<FastifyBaseLogger, 'error' | 'info'>, server: string) {
  let isLost = false
  return {
    lost(err: Error) {
      if (!isLost) log.error({ err }, `${server} does not answer.`)
      isLost = true
    },
    found() {
      if (isLost) log.info(`${server} answers again.`)
      isLost = false
    },
  }
}
