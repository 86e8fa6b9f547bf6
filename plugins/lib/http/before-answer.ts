import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { dropAnswer, holdAnswer, isHeld } from './held-answer.js'

/** What is done to an answer before it goes out. Of its headers it may change the suite's cookies alone. */
export type AnswerWork = (reply: FastifyReply) => Promise<void> | void

const kWork = Symbol('fastify-identity.before-answer')

declare module 'fastify' {
  interface FastifyRequest {
    // Not by `decorateRequest`: that would be written to every request, and few have any.
    [kWork]?: AnswerWork[]
  }
}

/** Notes what is to be done before the request's answer goes out, after what was noted before it. */
export function beforeAnswer(request: FastifyRequest, work: AnswerWork): void {
  const noted = request[kWork]
  if (noted) noted.push(work)
  else request[kWork] = [work]
}

/**
 * Each is taken off before it runs: Fastify runs its hooks again for the answer that says that one of them failed.
 * What comes after the one that failed is done for that answer.
 * @returns a promise only where one of them takes time
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

/**
 * The suite's only `onSend` hook: each one costs every request something, also those for which it has nothing to do.
 * For these it makes no promise. While there is work the answer is held.
 */
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
