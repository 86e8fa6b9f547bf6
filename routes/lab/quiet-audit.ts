import type { FastifyInstance } from 'fastify'
import type { Audit } from 'fastify-identity'
import type { AuditReport } from 'fastify-identity/audit'
import fp from 'fastify-plugin'

/**
 * Stands in for the suite's audit, whose diagnostics channel belongs to the whole process: subscribers would take the
 * events of an experiment for real ones.
 */
async function quietAudit(
  app: FastifyInstance,
  { events }: { readonly events: AuditReport[] },
): Promise<void> {
  const audit: Audit = {
    emit: (report) => void events.push(report),
    subscribe: () => () => {},
  }
  app.decorate('audit', audit)
}

export default fp(quietAudit, { fastify: '5.x', name: 'fastify-identity-audit' })
