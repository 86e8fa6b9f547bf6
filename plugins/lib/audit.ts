import { channel } from 'node:diagnostics_channel'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { type AuditEvent, type AuditReport, type AuditType, type Level, SHAPES } from './audit-events.js'
import type { Clock } from './contract.js'

export * from './audit-events.js'

/** The `node:diagnostics_channel` that carries every audit event of every application of the process. */
export const AUDIT_CHANNEL = 'fastify-identity:audit'

export type AuditListener = (event: AuditEvent) => void | Promise<void>

/** Reports events of sign-ins and accounts to the log, the channel and listeners. Never throws. */
export interface Audit {
  /** Reports an event, after it is stored and not before. @param request the request that caused it */
  emit(report: AuditReport, request?: FastifyRequest): void
  /**
   * Passes every event of this application to the listener, synchronously. Its errors and rejections are only logged.
   * @returns unsubscribes
   */
  subscribe(listener: AuditListener): () => void
}

const auditChannel = channel(AUDIT_CHANNEL)

/** Copies only the fields of the event's type: other fields of the caller's object (a row, a body) must not leak. */
function makeEvent(report: AuditReport, time: number, ip: string | null): AuditEvent {
  const given = new Map<string, unknown>(Object.entries(report))
  const fields = Object.keys(SHAPES[report.type].fields).map((field) => [field, given.get(field) ?? null])
  return Object.freeze({ type: report.type, time, ip, ...Object.fromEntries(fields) }) as AuditEvent
}

interface AuditParts {
  readonly clock: Clock
  /** Omitted on the command line: then only listeners and the channel receive events. */
  readonly log?: Pick<FastifyBaseLogger, Level | 'error'>
}

export function createAudit({ clock, log }: AuditParts): Audit {
  const listeners = new Set<AuditListener>()
  const fail = (type: AuditType) => (error: unknown) =>
    log?.error({ err: error, type }, 'an audit listener failed')
  const tell = (listener: AuditListener, event: AuditEvent) => {
    try {
      Promise.resolve(listener(event)).catch(fail(event.type))
    } catch (error) {
      fail(event.type)(error)
    }
  }
  return Object.freeze({
    emit(report: AuditReport, request?: FastifyRequest) {
      const event = makeEvent(report, clock(), request?.ip ?? null)
      // The request's own logger adds the request's id.
      const logger = request?.log ?? log
      logger?.[SHAPES[event.type].level]({ audit: event }, event.type)
      // If a listener of the channel throws, Node turns that into an uncaught exception, and the process ends. We
      // cannot catch it here. That is why `subscribe` exists as well.
      if (auditChannel.hasSubscribers) auditChannel.publish(event)
      for (const listener of listeners) tell(listener, event)
    },
    subscribe(listener: AuditListener) {
      // A new function for each call: a listener that subscribes twice is called twice, and unsubscribes separately.
      const own: AuditListener = (event) => listener(event)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
  })
}
