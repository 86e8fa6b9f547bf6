import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { dropAnswer, holdAnswer, isHeld } from './held-answer.js'

/** Work on an answer before it is sent. Of the headers it may only change the suite's cookies. */
export type AnswerWork = (reply: FastifyReply) => Promise<void> | void

const kWork = Symbol('fastify-identity.before-answer')

declare module 'fastify' {
  interface FastifyRequest {
    // Without `decorateRequest`, which writes to every request: few have any work.
    [kWork]?: AnswerWork[]
  }
}

/** Notes work to do before the request's answer is sent, after the work that was noted earlier. */
export function beforeAnswer(request: FastifyRequest, work: AnswerWork): void {
  const noted = request[kWork]
  if (noted) noted.push(work)
  else request[kWork] = [work]
}

/**
 * Takes each piece off the list before it runs: if one fails, Fastify runs its hooks again for the error's answer, and the
 * rest is done then.
 * @returns a promise only if some work takes time
 */
function doNoted(noted: AnswerWork[], reply: FastifyReply): Promise<void> | null {
  for (let work = noted.shift(); work; work = noted.shift()) {
    const running = work(reply)
    if (running) return doRest(running, noted, reply)
  }
  return null
}

async function doRest(running: Promise<void>, noted: AnswerWork[], reply: FastifyReply): Promise<void> {
  await running
  for (let work = noted.shift(); work; work = noted.shift()) await work(reply)
}

/** The suite's only `onSend` hook. Holds the answer while there is work, and makes no promise for a request without any. */
export function finishAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: HookHandlerDoneFunction,
): PromiseLike<void> | undefined {
  const noted = request[kWork]
  if (noted !== undefined) {
    if (isHeld(reply)) return dropAnswer(reply, payload)
    const working = doNoted(noted, reply)
    if (working) return holdAnswer(reply, payload, working)
  }
  done()
  return undefined
}
