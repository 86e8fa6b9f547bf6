import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthMode, SignInRef } from '../contract.js'
import { beforeAnswer } from '../http/before-answer.js'
import { isEndedHere, isLiveNow } from '../sign-ins/liveness.js'
import { isBegunLast } from './begun.js'

/**
 * Runs a call that an application must await, for the answer hands over what it brings. Warns where the answer goes out
 * before its end.
 * @param name as the application wrote the call, for the log
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
    // An answer by `reply.raw` passes no hook, nor does one that came before the call.
    if (reply.raw.headersSent) warn()
    isUnderWay = false
  }
}

/**
 * Takes back a sign-in that has ended by the time the answer goes out, or its headers are asked for by an application that
 * writes them itself: nobody is handed a credential that is dead. A mode that a browser does not attach by itself has
 * nothing to take back.
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
    // Where the store cannot say, it is handed over: it is asked again when the credential comes back.
    return isLive instanceof Promise ? isLive.then(takeBack, () => {}) : takeBack(isLive)
  })
  const { getHeaders } = reply
  // Nobody can wait there: it is taken back where that is known at once.
  reply.getHeaders = function getHeadersOfLive() {
    takeBack(!isEndedHere(signIns, ref))
    return getHeaders.call(reply)
  }
}
