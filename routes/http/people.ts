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
