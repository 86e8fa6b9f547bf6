import type { FastifyRequest } from 'fastify'
import type { NoticeKind } from 'fastify-identity/accounts'
import { languageOf } from './messages.js'

export interface OwnNotice {
  readonly accountId: string
  readonly what: NoticeKind
  /** Defaults to the account's verified address. */
  readonly to?: string | null
}

/** Tells the owner of an account by mail. The change is stored already: it does not fail if the notice cannot be. */
export async function noticeByMail(request: FastifyRequest, notice: OwnNotice): Promise<void> {
  const { server } = request
  if (!server.hasAccountMail) return
  const telling = server.accountMail.notify({ ...notice, language: languageOf(request), ip: request.ip })
  await telling.catch((err: unknown) => request.log.error({ err }, 'a notice could not be stored'))
}
