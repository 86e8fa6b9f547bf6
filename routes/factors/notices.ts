import type { FastifyInstance } from 'fastify'
import type { AuditEvent } from 'fastify-identity'
import type { NoticeKind } from 'fastify-identity/accounts'

/** After so many wrong ones in a row, the owner is told. */
const WRONG = 5

/** What the owner of the account is told of, if anything. */
function noticeOf(event: AuditEvent): NoticeKind | null {
  if (event.type === 'passkey_cloned') return 'passkey_cloned'
  return event.type === 'factor_refused' && event.failures === WRONG ? 'factor_refused' : null
}

/**
 * Tells owners by mail of factors that were refused: somebody else may have their password or their passkey. The mail is in
 * both languages, because the request was perhaps not the owner's.
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
