import type { FastifyRequest } from 'fastify'
import type { AuthMode, MaybePromise, Resolution } from '../contract.js'
import { timed } from './timed.js'

/**
 * One resolve in `sampling`, on average: with a look at the clock before and after it, each would be slower than it
 * is. Drawn anew each time, so that a client's rhythm cannot hide in it.
 */
function nextIn(sampling: number): number {
  return 1 + Math.floor(Math.random() * (2 * sampling - 1))
}

/**
 * A mode that tells how long some of its resolves took, in seconds. Nothing else about it is different.
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
    issue: (request, reply, account, options) => mode.issue(request, reply, account, options),
    revoke: (request, reply) => mode.revoke(request, reply),
    forget: (request, reply) => mode.forget(request, reply),
    get nearCache() {
      return mode.nearCache
    },
  }
}
