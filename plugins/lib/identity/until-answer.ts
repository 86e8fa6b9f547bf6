import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthMode, SignInRef } from '../contract.js'
import { beforeAnswer } from '../http/before-answer.js'
import { isEndedHere, isLiveNow } from '../sign-ins/liveness.js'
import { isBegunLast } from './begun.js'

/**
 * Runs a call whose result the answer carries. Warns if the application has not awaited it before the answer.
 * @param name of the call, for the log
 */
export async function untilAnswer<T>(
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  call: () => Promise<T>,
): Promise<T> {
  let isUnderWay = true
  const warn = () => {
    if (!isUnderWay) return
    isUnderWay = false
    const { method, url = 'an unknown route' } = request.routeOptions
    request.log.warn(
      `${name} was under way when ${method} ${url} answered, so the answer lacks what it brings. Await it.`,
    )
  }
  beforeAnswer(request, warn)
  try {
    return await call()
  } finally {
    // No hook runs for an answer by `reply.raw`, or for an answer that was sent before the call.
    if (reply.raw.headersSent) warn()
    isUnderWay = false
  }
}

/**
 * Removes the cookie of a sign-in that has ended before the answer, so that the client gets no dead credential. Does
 * the same when an application reads the headers to write them itself. Does nothing for a mode without a cookie.
 */
export function takeBackEnded(
  request: FastifyRequest,
  reply: FastifyReply,
  mode: AuthMode,
  ref: SignInRef,
): void {
  if (!mode.ambient) return
  const { signIns } = request.server
  const takeBack = (isLive: boolean) => {
    if (!isLive && isBegunLast(request, mode.name, ref)) mode.clear(request, reply)
  }
  beforeAnswer(request, () => {
    const isLive = isLiveNow(signIns, ref)
    // On a store fault the client gets the cookie. Its next use is checked again.
    return isLive instanceof Promise ? isLive.then(takeBack, () => {}) : takeBack(isLive)
  })
  const { getHeaders } = reply
  // `getHeaders` cannot wait for a store.
  reply.getHeaders = function getHeadersOfLive() {
    takeBack(!isEndedHere(signIns, ref))
    return getHeaders.call(reply)
  }
}
