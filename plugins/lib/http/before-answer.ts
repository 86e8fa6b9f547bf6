import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { dropAnswer, holdAnswer, isHeld } from './held-answer.js'

/** Work on an answer before it is sent. It may change no headers except the suite's cookies. */
export type AnswerWork = (reply: FastifyReply) => Promise<void> | void

const kWork = Symbol('fastify-identity.before-answer')

declare module 'fastify' {
  interface FastifyRequest {
    // Not declared by `decorateRequest`, which writes to every request: few requests have any work.
    [kWork]?: AnswerWork[]
  }
}

/** Notes work that must be done before the answer is sent. It runs after the work that was noted earlier. */
export function beforeAnswer(request: FastifyRequest, work: AnswerWork): void {
  const noted = request[kWork]
  if (noted) noted.push(work)
  else request[kWork] = [work]
}

/**
 * Removes each piece from the list before it runs. If one fails, Fastify runs the hooks again for the error's answer,
 * and the remaining work is done then.
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
