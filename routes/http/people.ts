import type { FastifyInstance } from 'fastify'
import type { Guard, GuardOptions } from 'fastify-identity'

/** The modes by which a person signs in. */
const PEOPLE = ['token', 'session', 'cookie'] as const

/**
 * Guards of a route for people: an API key gets `MODE_REQUIRED`, whatever else the route asks for. The first one recognises
 * the caller by any mode. Alone, the second one would not read a key, and would answer that nobody is signed in.
 */
export function guardPeople(app: FastifyInstance, options: Omit<GuardOptions, 'modes'> = {}): Guard[] {
  return [app.guard(), app.guard({ ...options, modes: PEOPLE })]
}

/**
 * The same for a change that would outlast a stolen sign-in, such as a new API key: the person has signed in recently. An
 * attacker with a copied cookie and its proof must not make it. Where sign-ins are bound to devices, the guard runs before
 * the body is read: the browser sends the request twice. A client can send its body late. Until then the sign-in may have
 * become too old, or the account may have got a second factor, so the guard asks for that again.
 */
export function guardRecently(app: FastifyInstance) {
  if (!app.hasDecorator('deviceBinding')) return { preHandler: guardPeople(app, { fresh: true }) }
  const onRequest = guardPeople(app, { fresh: true, proof: 'now' })
  return { onRequest, preHandler: app.guard({ fresh: true }) }
}
