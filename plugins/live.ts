import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { AuditEvent } from './audit.js'
import type { ModeName, SignInTimes } from './lib/contract.js'
import { kUnauthenticatedStatus } from './lib/identity/refused.js'
import { Changes, type ChangesChannel, channelOf } from './lib/live/changes.js'
import { Connections } from './lib/live/connections.js'
import type { Live, LiveSocket } from './lib/live/contract.js'
import { Deadlines } from './lib/live/deadlines.js'
import { endSignal, LiveConnections, type LiveParts } from './lib/live/live.js'
import { Watch } from './lib/live/watch.js'
import { checkWhole, refuseUnknown } from './lib/options.js'
import { asRedisClient } from './lib/stores/redis/scripts.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Binds sockets and streams to the sign-in that opened them. Only if the plugin was registered. */
    live: Live
  }
  interface FastifyRequest {
    /**
     * Aborted when the request's sign-in ends while the request runs, for whatever reason, on whatever instance.
     * `reason` is an error with the code SIGNED_OUT, CREDENTIAL_EXPIRED or STORE_UNAVAILABLE. Nothing is watched until
     * it is read. Only if the plugin `fastify-identity/live` was registered.
     * @throws IDENTITY_UNGUARDED without a caller
     */
    readonly endSignal: AbortSignal
  }
}

export type { Live, LiveSocket }

export interface LiveOptions {
  /** The maximum of open sockets and streams of one sign-in, in this process. One more is refused. Defaults to 100. */
  readonly cap?: number
}

const CAP = 100

/** The account whose list of sign-ins this event has changed. */
function changedBy(event: AuditEvent): string | null {
  switch (event.type) {
    case 'signed_in':
    case 'signed_out':
    case 'sign_in_ended':
    case 'epoch_raised':
      return event.accountId
    default:
      return null
  }
}

async function openChannel({
  stateBacking: backing,
  stateStore: store,
}: FastifyInstance): Promise<ChangesChannel> {
  if (backing?.kind !== 'redis') return channelOf(store)
  const { RedisChangesChannel } = await import('./lib/stores/redis/changes-channel.js')
  return new RedisChangesChannel(asRedisClient(backing.client))
}

/** By then the credential expires. A mode that was not registered has none. */
function endsAt(app: FastifyInstance, mode: ModeName, times: SignInTimes): number {
  const own = app.authModes.get(mode).endsAt?.(times)
  return own ?? Math.min(times.idleExpiresAt, times.absoluteExpiresAt)
}

function makeWatch(app: FastifyInstance): Watch {
  const { stateStore: store, signIns, identityClock: clock } = app
  return new Watch({ store, signIns, clock, endsAt: (mode, times) => endsAt(app, mode, times) })
}

/** A connection of a bound sign-in ends when the proof expires that it was opened with. */
function deadlineOf(app: FastifyInstance): LiveParts['deadlineOf'] {
  if (!app.hasDecorator('deviceBinding')) return () => null
  const { deviceBinding, identityClock: clock } = app
  return (request, found) =>
    deviceBinding.of(found.identity.mode)?.deadlineOf(request, found, clock()) ?? null
}

/** @throws OPTION_INVALID */
async function livePlugin(app: FastifyInstance, options: LiveOptions): Promise<void> {
  refuseUnknown<LiveOptions>(options, { cap: true })
  const cap = checkWhole('cap', options.cap ?? CAP, 1)
  const watch = makeWatch(app)
  const changes = new Changes(await openChannel(app))
  const connections = new Connections()
  const statusCode = app[kUnauthenticatedStatus]
  const refuse = (reason: Error) =>
    'statusCode' in reason && reason.statusCode === 503 ? reason : Object.assign(reason, { statusCode })
  const deadlines = new Deadlines(app.identityClock)
  const parts = { watch, changes, connections, cap, refuse, deadlines, deadlineOf: deadlineOf(app) }
  const live = new LiveConnections(parts)
  if (app.hasDecorator('identityMetrics')) app.identityMetrics.meters.live(connections)
  app.audit.subscribe((event) => {
    const accountId = changedBy(event)
    if (accountId !== null) changes.tell(accountId)
  })
  app.decorate('live', live)
  app.decorateRequest('endSignal', {
    getter(this: FastifyRequest) {
      return endSignal(this, parts)
    },
  })
  app.addHook('preClose', function endConnections(done) {
    live.stop()
    done()
  })
  app.addHook('onClose', async function stopWatching() {
    watch.close()
    deadlines.close()
    changes.close()
  })
}

export default fp(livePlugin, {
  fastify: '5.x',
  name: 'fastify-identity-live',
  dependencies: ['fastify-identity-core', 'fastify-identity-sign-ins'],
})
