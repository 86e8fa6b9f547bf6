import type { CheckedAccount } from '../contract.js'
import { type ConfirmedAddress, composeCode, confirmAddress, requestAddress } from './address-change.js'
import type { MailMessage } from './contract.js'
import { composeNotice, type Notice, notify } from './notices.js'
import type { Claimed } from './outbox.js'
import type { MailParts } from './parts.js'
import { composeReset, findReset, type ResetGrant, type ResetRequest, requestReset, reset } from './reset.js'
import type { OutboxWorker } from './worker.js'

/**
 * Verified addresses and password resets of the suite's accounts. Requests only write to the outbox: no mail server holds
 * them up. All methods except `flush` throw STORE_UNAVAILABLE on a database fault.
 */
export interface AccountMail {
  /**
   * Sends a code of eight digits to an address, which stays unverified until `confirmAddress`. A later request replaces it.
   * @param language passed on to the mail
   * @throws EMAIL_INVALID; THROTTLED after five requests of the account in an hour
   */
  requestAddress(accountId: string, email: string, language: string): Promise<void>
  /**
   * Verifies the address of the newest request, within ten minutes and five tries. Ends no sign-in.
   * @returns null if the code is wrong, or there is none
   */
  confirmAddress(accountId: string, code: string): Promise<ConfirmedAddress | null>
  /** Writes the same row for any name or address, known or not. A known account with an address gets a mail. */
  requestReset(who: ResetRequest, language: string): Promise<void>
  /** The account of a reset token. Spends nothing. @returns null if the token is not valid (any more) */
  findReset(token: string): Promise<ResetGrant | null>
  /**
   * Sets a new password, and ends every sign-in of the account. Voids all its tokens. The caller checks the password first
   * (`app.passwordPolicy`).
   * @returns null if the grant is no longer valid. Only one of several parallel resets succeeds
   * @throws PASSWORD_REFUSED above 1024 bytes, BUSY
   */
  reset(grant: ResetGrant, replacement: string): Promise<CheckedAccount | null>
  /** Tells the account's verified address of a change. Does nothing for an account without one. */
  notify(notice: Notice): Promise<void>
  /** Resolves when every mail that is due was tried once. Never rejects. */
  flush(): Promise<void>
}

/** Makes the mails of a claimed row. */
export async function compose(parts: MailParts, row: Claimed): Promise<readonly MailMessage[]> {
  if (row.kind === 'reset') return composeReset(parts, row)
  if (row.kind === 'email_code') return composeCode(parts, row)
  return composeNotice(parts, row)
}

export function createAccountMail(
  parts: MailParts,
  worker: Pick<OutboxWorker, 'kick' | 'flush'>,
): AccountMail {
  const thenKick = async (work: Promise<void>) => {
    await work
    worker.kick()
  }
  return Object.freeze({
    requestAddress: (accountId: string, email: string, language: string) =>
      thenKick(requestAddress(parts, accountId, email, language)),
    confirmAddress: (accountId: string, code: string) => confirmAddress(parts, accountId, code),
    requestReset: (who: ResetRequest, language: string) => thenKick(requestReset(parts, who, language)),
    findReset: (token: string) => findReset(parts, token),
    reset: (grant: ResetGrant, replacement: string) => reset(parts, grant, replacement),
    notify: (notice: Notice) => thenKick(notify(parts, notice)),
    flush: () => worker.flush(),
  })
}
