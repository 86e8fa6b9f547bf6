import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { claimCookieName } from './lib/http/cookie-names.js'
import type { StateBacking } from './lib/stores/backing.js'
import { Attempts } from './lib/throttle/attempts.js'
import type { Throttle } from './lib/throttle/contract.js'
import { DeviceCookie } from './lib/throttle/device-cookie.js'
import { FailoverCounters } from './lib/throttle/failover.js'
import { MemoryCounters } from './lib/throttle/memory-counters.js'
import { checkThrottle, type ThrottleOptions } from './lib/throttle/options.js'
import { createSubjects } from './lib/throttle/subjects.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Sign-ins by password, and whatever else is guessed at, counted and limited. */
    throttle: Throttle
  }
}

export type { AddressCount, Credentials, Throttle } from './lib/throttle/contract.js'
export type { ThrottleOptions } from './lib/throttle/options.js'

const IN_PROCESS: StateBacking = Object.freeze({ kind: 'process' })

async function openShared(backing: StateBacking, { log }: FastifyInstance) {
  if (backing.kind === 'process') return null
  const { openCounters } = await import('./lib/throttle/open-counters.js')
  return openCounters(backing, log)
}

/** Where the application's state is; beside a store of its own, in this process. */
async function countersOf(app: FastifyInstance): Promise<FailoverCounters> {
  const backing = app.hasDecorator('stateBacking') ? app.stateBacking : IN_PROCESS
  const opened = await openShared(backing, app)
  app.addHook('onClose', async function closeCounters() {
    await opened?.close()
  })
  const local = new MemoryCounters(app.identityClock)
  return new FailoverCounters({ shared: opened?.counters ?? null, local, log: app.log })
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
  const counters = await countersOf(app)
  app.decorate('throttle', new Attempts({ app, settings, counters, subjects, devices }))
}

export default fp(throttle, {
  fastify: '5.x',
  name: 'fastify-identity-throttle',
  dependencies: ['fastify-identity-core', 'fastify-identity-accounts', 'fastify-identity-stores'],
})
