import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { type Audit, createAudit } from './lib/audit.js'
import type { Clock } from './lib/contract.js'
import { checkClock, refuseUnknown } from './lib/options.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Reports events of sign-ins and accounts to the log, a diagnostics channel and listeners. */
    audit: Audit
  }
}

export type {
  Audit,
  AuditDetails,
  AuditEvent,
  AuditListener,
  AuditReport,
  AuditType,
  ChangedBy,
  EndedBy,
  EndReason,
  ProofRefusal,
} from './lib/audit.js'
export { AUDIT_CHANNEL } from './lib/audit.js'

export interface AuditOptions {
  /** Milliseconds since 1970. Defaults to the system's clock. */
  readonly clock?: Clock
}

const NAME = 'fastify-identity-audit'

/** Works whether the audit or the stores were registered first. */
function watchFeed(app: FastifyInstance): void {
  let unsubscribe = () => {}
  app.addHook('onReady', async function watchRevocationFeed() {
    if (!app.hasDecorator('stateStore')) return
    const { feed } = app.stateStore
    if (feed) unsubscribe = feed.onChange(({ kind, reason }) => app.audit.emit({ type: kind, reason }))
  })
  // Before the stores close: closing would look like a lost feed.
  app.addHook('preClose', async function leaveRevocationFeed() {
    unsubscribe()
  })
}

/** @throws OPTION_INVALID */
async function auditPlugin(app: FastifyInstance, options: AuditOptions): Promise<void> {
  refuseUnknown(options, { clock: true })
  const clock = checkClock(options.clock ?? Date.now)
  app.decorate('audit', createAudit({ clock, log: app.log }))
  if (app.hasDecorator('identityMetrics')) app.identityMetrics.meters.audit(app.audit)
  watchFeed(app)
}

const audit = fp(auditPlugin, { fastify: '5.x', name: NAME })

/** For plugins that emit events: registers `app.audit` unless it exists. */
export async function useAudit(app: FastifyInstance, clock: Clock): Promise<void> {
  if (!app.hasPlugin(NAME)) await app.register(audit, { clock })
}

export default audit
