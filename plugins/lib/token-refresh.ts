import type { FastifyRequest } from 'fastify'
import type { SignIns } from '../sign-ins.js'
import type { AccessTokens } from './access-token.js'
import { checkAccount } from './account-check.js'
import type { AccountSource, CheckedAccount, Clock } from './contract.js'
import { RefreshRefused } from './errors.js'
import type { PurposeKeys } from './keys.js'
import { deriveRefreshToken, openRefreshToken, type RefreshClaims } from './refresh-token.js'
import { refOfRecord } from './sign-in-record.js'
import type { SignInRecord } from './stores/contract.js'

/** What a token sign-in hands back. */
export interface TokenPair {
  readonly signInId: string
  readonly token: string
  readonly tokenType: 'Bearer'
  /** Of the access token, in seconds. */
  readonly expiresIn: number
  readonly refreshToken: string
  /** Until the sign-in's absolute end, in seconds: rotating never extends it. */
  readonly refreshExpiresIn: number
}

/** Refresh tokens. No refusal says why: whoever holds a bad one learns nothing from it. */
export interface RefreshTokens {
  /**
   * A new access token, and the refresh token's successor. A retry with the same token gets the same
   * successor, within the grace and until that one is used; any later use of it ends the whole sign-in.
   * @throws REFRESH_REFUSED, STORE_UNAVAILABLE
   */
  refresh(request: FastifyRequest, refreshToken: string): Promise<TokenPair>
  /**
   * Ends the sign-in of any of its refresh tokens, old or new.
   * @returns whether the token was genuine
   * @throws STORE_UNAVAILABLE
   */
  revoke(refreshToken: string, request?: FastifyRequest): Promise<boolean>
}

export interface RefreshParts {
  readonly signIns: SignIns
  readonly clock: Clock
  readonly accounts: Pick<AccountSource, 'find'>
  readonly access: AccessTokens
  readonly keys: PurposeKeys
  /** In seconds. */
  readonly refreshGrace: number
}

/** @param now in ms */
export function tokenPair(
  keys: PurposeKeys,
  record: SignInRecord,
  access: ReturnType<AccessTokens['issue']>,
  now: number,
): TokenPair {
  const refreshToken = deriveRefreshToken(keys, record)
  // The key that the successor was derived under has left the ring since.
  if (refreshToken === null) throw new RefreshRefused()
  const refreshExpiresIn = Math.floor((record.absoluteExpiresAt - now) / 1000)
  return { signInId: record.id, ...access, tokenType: 'Bearer', refreshToken, refreshExpiresIn }
}

const MODE = 'token'

export class Refresher implements RefreshTokens {
  constructor(private readonly parts: RefreshParts) {}

  /** Rotates last: what is refused has changed nothing, and what was rotated is answered. */
  async refresh(request: FastifyRequest, refreshToken: string): Promise<TokenPair> {
    const { keys, access, clock } = this.parts
    // A forged or altered one ends here: it never reaches the store.
    const presented = openRefreshToken(keys, refreshToken)
    if (!presented) throw new RefreshRefused()
    const record = await this.#findLive(presented)
    const account = await this.#findAccount(record)
    const ext = record.claims ?? {}
    access.checkSize(account, ext)
    const now = clock()
    const fresh = access.issue(record, account, ext, now)
    if (fresh.expiresIn < 1) throw new RefreshRefused()
    return tokenPair(keys, await this.#rotate(request, presented), fresh, now)
  }

  async revoke(refreshToken: string, request?: FastifyRequest): Promise<boolean> {
    const presented = openRefreshToken(this.parts.keys, refreshToken)
    if (presented) await this.parts.signIns.end(presented, { signedOut: MODE, request })
    return presented !== null
  }

  async #findLive({ accountId, signInId }: RefreshClaims): Promise<SignInRecord> {
    const { signIns } = this.parts
    const record = await signIns.find(accountId, signInId)
    if (!record || !(await signIns.isLive(refOfRecord(record)))) throw new RefreshRefused()
    return record
  }

  /** The account as it is now: a role that changed, and a username, are in the new token. */
  async #findAccount(record: SignInRecord): Promise<CheckedAccount> {
    const found = await this.parts.accounts.find(record.accountId)
    if (found?.id !== record.accountId) throw new RefreshRefused()
    const account = checkAccount(found)
    const isSpared = account.epoch <= record.epoch || found.spared === record.id
    if (!isSpared && !(await this.#isSparedByList(record, account))) throw new RefreshRefused()
    return account
  }

  /**
   * The account's row says that its sign-ins were ended, and not that this one, which is live, was spared:
   * either it was, or the revocation list hasn't heard of it yet. It has if it refuses a stranger of the epoch
   * before.
   */
  async #isSparedByList({ accountId, generation }: SignInRecord, account: CheckedAccount): Promise<boolean> {
    const stranger = { accountId, signInId: '-', epoch: account.epoch - 1, generation }
    return !(await this.parts.signIns.isLive(stranger))
  }

  async #rotate(request: FastifyRequest, presented: RefreshClaims): Promise<SignInRecord> {
    const { signIns, keys, refreshGrace } = this.parts
    const { accountId, signInId, counter } = presented
    const rotation = { presented: counter, keyId: keys.signing.id, grace: refreshGrace * 1000 }
    const result = await signIns.rotate(accountId, signInId, rotation)
    const { outcome } = result
    const about = { accountId, signInId, mode: MODE }
    if (outcome === 'rotated' || outcome === 'repeated') {
      request.server.audit.emit({ type: 'refreshed', ...about, outcome }, request)
      return result.signIn
    }
    if (outcome === 'reused') {
      request.server.audit.emit({ type: 'refresh_reuse_detected', ...about }, request)
      // Thief and owner hold the same token and nobody can tell which is which: both must sign in again.
      await signIns.end(presented, { by: 'suite', why: 'refresh_reuse', request })
    }
    throw new RefreshRefused()
  }
}
