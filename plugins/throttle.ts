import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { claimCookieName } from './lib/http/cookie-names.js'
import type { StateBacking } from './lib/stores/backing.js'
import { Attempts } from './lib/throttle/attempts.js'
import type { Throttle } from './lib/throttle/contract.js'
import { DeviceCookie } from './lib/throttle/device-cookie.js'
import { FailoverSteps } from './lib/throttle/failover.js'
import { MemorySteps } from './lib/throttle/memory-steps.js'
import { checkThrottle, type ThrottleOptions } from './lib/throttle/options.js'
import type { Steps } from './lib/throttle/steps.js'
import { createSubjects } from './lib/throttle/subjects.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts and limits sign-ins by password, and other guesses. */
    throttle: Throttle
  }
}

export type { AddressCount, Credentials, Throttle } from './lib/throttle/contract.js'
export type { ThrottleOptions } from './lib/throttle/options.js'

const IN_PROCESS: StateBacking = Object.freeze({ kind: 'process' })

/**
 * Opens the counters in the same Redis or file as the state. Null if the state is in memory, or in a store of the
 * application's own.
 */
async function openShared(app: FastifyInstance): Promise<Steps | null> {
  const backing = app.hasDecorator('stateBacking') ? app.stateBacking : IN_PROCESS
  if (backing.kind === 'process') return null
  if (backing.kind === 'redis') {
    const { RedisSteps } = await import('./lib/throttle/redis-steps.js')
    return new RedisSteps(backing.client, backing.commandTimeout)
  }
  const { openSqliteSteps } = await import('./lib/throttle/sqlite-steps.js')
  const { steps, close } = await openSqliteSteps(backing.dataDir, app.log)
  app.addHook('onClose', function closeCounters() {
    return close()
  })
  return steps
}

/** @throws OPTION_INVALID, DEPENDENCY_MISSING, STORE_UNAVAILABLE, all at boot */
async function throttle(app: FastifyInstance, options: ThrottleOptions): Promise<void> {
  const settings = checkThrottle(options)
  claimCookieName(app, 'deviceName', settings.spec)
  const devices = new DeviceCookie({
    spec: settings.spec,
    keys: app.keyRing.purpose('device'),
    clock: app.identityClock,
    ttl: settings.deviceTtl,
    accounts: () => app.accountSource,
  })
  const subjects = createSubjects(app.keyRing.purpose('throttle'))
  const local = new MemorySteps(app.identityClock)
  const steps = new FailoverSteps({ shared: await openShared(app), local, log: app.log })
  app.decorate('throttle', new Attempts({ app, settings, steps, subjects, devices }))
}

export default fp(throttle, {
  fastify: '5.x',
  name: 'fastify-identity-throttle',
  dependencies: ['fastify-identity-core', 'fastify-identity-accounts', 'fastify-identity-stores'],
})
