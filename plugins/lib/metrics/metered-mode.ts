import type { FastifyRequest } from 'fastify'
import type { AuthMode, MaybePromise, Resolution } from '../contract.js'
import { timed } from './timed.js'

/**
 * Draws the next resolve to time: one in `sampling` on average, because reading the clock twice takes longer than most
 * resolves. At random, so that no client's rhythm escapes the samples.
 */
function nextIn(sampling: number): number {
  return 1 + Math.floor(Math.random() * (2 * sampling - 1))
}

/**
 * A mode that reports how long some of its resolves took, in seconds. It behaves the same otherwise.
 * @param sampling 1: all of them
 */
export function meterMode(mode: AuthMode, sampling: number, observe: (seconds: number) => void): AuthMode {
  let left = 1
  const resolveTimed = (request: FastifyRequest, now?: number): MaybePromise<Resolution> => {
    left = nextIn(sampling)
    let brought = true
    const resolve = () => {
      const resolution = mode.resolve(request, now)
      brought = 'then' in resolution || resolution.kind !== 'absent'
      return resolution
    }
    // A request without a credential of this mode says nothing about how long one takes.
    return timed(resolve, (seconds) => brought && observe(seconds))
  }
  return {
    name: mode.name,
    ambient: mode.ambient,
    scheme: mode.scheme,
    resolve(request, now) {
      left -= 1
      return left > 0 ? mode.resolve(request, now) : resolveTimed(request, now)
    },
    ...(mode.challenges && { challenges: mode.challenges }),
    ...(mode.precheck ? { precheck: (request) => mode.precheck?.(request) } : {}),
    ...(mode.endsAt ? { endsAt: (times) => mode.endsAt?.(times) ?? Number.NaN } : {}),
    // Without the method, `request.stepUp` would refuse the mode.
    ...(mode.stepUp && { stepUp: mode.stepUp.bind(mode) }),
    issue: (request, reply, account, options) => mode.issue(request, reply, account, options),
    signOut: (request, reply) => mode.signOut(request, reply),
    clear: (request, reply) => mode.clear(request, reply),
    alone: mode.alone && meterMode(mode.alone, sampling, observe),
    get cache() {
      return mode.cache
    },
  }
}
