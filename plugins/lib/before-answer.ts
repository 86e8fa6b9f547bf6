import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'

/** What is done to an answer before it goes out. */
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
 */
async function doNoted(noted: AnswerWork[], reply: FastifyReply): Promise<void> {
  for (let work = noted.shift(); work; work = noted.shift()) await work(reply)
}

/**
 * The suite's only `onSend` hook: each one costs every request something, also those for which it has nothing to do.
 * For these it makes no promise.
 */
export function finishAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  _payload: unknown,
  done: HookHandlerDoneFunction,
): void {
  const noted = request[kWork]
  if (noted === undefined) done()
  else doNoted(noted, reply).then(() => done(), done)
}
