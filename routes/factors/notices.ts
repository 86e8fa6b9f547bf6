import type { FastifyInstance } from 'fastify'
import type { AuditEvent } from 'fastify-identity'
import type { NoticeKind } from 'fastify-identity/accounts'

/** After this many refused factors in a row, the owner gets a mail. */
const WRONG = 5

/** The notice that the owner gets about the event, if any. */
function noticeOf(event: AuditEvent): NoticeKind | null {
  if (event.type === 'passkey_cloned') return 'passkey_cloned'
  return event.type === 'factor_refused' && event.failures === WRONG ? 'factor_refused' : null
}

/**
 * Sends owners a mail about refused factors, because somebody else may have their password or their passkey. The mail is in
 * both languages, because the request may not come from the owner.
 */
export function tellOwners(app: FastifyInstance): void {
  if (!app.hasAccountMail) return
  app.audit.subscribe((event) => {
    const what = noticeOf(event)
    if (what === null || !('accountId' in event) || event.accountId === null) return
    const telling = app.accountMail.notify({ accountId: event.accountId, what, language: '', ip: event.ip })
    telling.catch((err: unknown) => app.log.error({ err }, 'a notice could not be stored'))
  })
}
