import type { FastifyRequest } from 'fastify'
import type {
  AccountSource,
  CheckedAccount,
  Clock,
  GivenFactor,
  MaybePromise,
  SignInRef,
} from '../contract.js'
import type { PurposeKeys } from '../credentials/keys.js'
import type { IssueProofs } from '../dpop/proofs.js'
import { type Fault, tellRefused } from '../dpop/refused.js'
import { RefreshRefused } from '../errors.js'
import { checkAccount } from '../identity/account-check.js'
import type { SignIns } from '../sign-ins/contract.js'
import type { RotationResult, RotationTerms, SignInRecord } from '../stores/contract.js'
import type { AccessTokens } from './access-token.js'
import { type TokenPair, tokenPair } from './pair.js'
import { openRefreshToken, type RefreshClaims } from './refresh-token.js'

/** Refresh tokens. No refusal gives its reason, so a client with a bad token learns nothing. */
export interface RefreshTokens {
  /**
   * A new access token, and the refresh token's successor. A retry with the same token gets the same successor, within the
   * grace and until that one is used. Any later use ends the whole sign-in.
   * @param refreshToken null is refused like any that is not genuine
   * @throws REFRESH_REFUSED, PROOF_INVALID, PROOF_NONCE_REQUIRED, STORE_UNAVAILABLE
   */
  refresh(request: FastifyRequest, refreshToken: string | null): Promise<TokenPair>
  /**
   * Ends the sign-in of any of its refresh tokens, old or new. A bound one needs no proof.
   * @returns whether the token was genuine
   * @throws STORE_UNAVAILABLE
   */
  signOut(refreshToken: string, request?: FastifyRequest): Promise<boolean>
}

export interface RefreshParts {
  readonly signIns: SignIns
  readonly clock: Clock
  readonly accounts: Pick<AccountSource, 'find'>
  readonly access: AccessTokens
  readonly keys: PurposeKeys
  readonly proofs: IssueProofs
  /** In seconds. */
  readonly refreshGrace: number
}

const MODE = 'token'

/** Factors that a caller has just given, for the sign-in of the refresh token. */
interface StepUp {
  readonly caller: Pick<SignInRef, 'accountId' | 'signInId'>
  readonly given: readonly GivenFactor[]
}

interface Holder {
  readonly account: CheckedAccount
  /** The change that raised the account's epoch spared this sign-in. */
  readonly isSpared: boolean
}

type Found = Exclude<RotationResult, { readonly outcome: 'gone' }>

/**
 * A step-up gives the strong pair to the caller who gave the factor. A thief may have a copy of the refresh token that the
 * step-up took. The thief has given no factor, and must not get the pair as a retry.
 * @throws REFRESH_REFUSED, without an alarm, because it may be a refresh that was under way
 */
function refuseCopy({ counter }: RefreshClaims, { outcome, signIn }: Found): void {
  const { strongFrom = 0 } = signIn
  if (outcome === 'repeated' && counter < strongFrom) throw new RefreshRefused()
}

export class Refresher implements RefreshTokens {
  constructor(private readonly parts: RefreshParts) {}

  /**
   * A refused request must change nothing, and a rotated token must be sent. So the rotation comes last, after all
   * checks. Usually the store can tell by the terms that no later check will refuse the record. Then it rotates at
   * once, in the first round trip.
   */
  async refresh(request: FastifyRequest, refreshToken: string | null, stepUp?: StepUp): Promise<TokenPair> {
    const { keys, access, clock } = this.parts
    // A forged or altered token never reaches the store.
    const presented = openRefreshToken(keys, refreshToken)
    if (!presented) throw new RefreshRefused()
    await this.#checkProof(request, presented)
    if (stepUp) await this.#strengthen(presented, stepUp)
    const { jkt = null } = presented
    const holder = await this.#findHolder(presented)
    const now = clock()
    const first = await this.#rotate(presented, this.#termsFor(holder, now))
    await this.#refuseEnded(first.signIn, holder)
    const ext = first.signIn.claims ?? {}
    access.checkSize(holder.account, ext)
    const fresh = access.issue(first.signIn, holder.account, ext, now, jkt)
    if (fresh.expiresIn < 1) throw new RefreshRefused()
    const result = first.outcome === 'unmet' ? await this.#rotate(presented) : first
    if (!stepUp) refuseCopy(presented, result)
    return tokenPair(keys, await this.#judge(request, presented, result), fresh, now, jkt)
  }

  async signOut(refreshToken: string, request?: FastifyRequest): Promise<boolean> {
    const presented = openRefreshToken(this.parts.keys, refreshToken)
    if (presented) await this.parts.signIns.end(presented, { signedOut: MODE, request })
    return presented !== null
  }

  /** Runs before the rotation, so that the new tokens have the factors. */
  async #strengthen({ accountId, signInId, counter }: RefreshClaims, { caller, given }: StepUp) {
    const isOwn = signInId === caller.signInId && accountId === caller.accountId
    if (!isOwn || !(await this.parts.signIns.strengthen(caller, given, counter + 1)))
      throw new RefreshRefused()
  }

  /**
   * A bound token without a proof by its key never reaches the store: it rotates nothing, and raises no alarm. An unbound
   * one with a proof is refused, because its client expects bound tokens.
   */
  async #checkProof(request: FastifyRequest, presented: RefreshClaims): Promise<void> {
    const { proofs } = this.parts
    const fault = await this.#proofFault(request, presented)
    if (fault === null) return
    if (presented.jkt !== undefined) tellRefused(request.server.audit, request, presented, fault)
    throw fault === 'other_key' ? new RefreshRefused() : proofs.errorOf(fault)
  }

  #proofFault(request: FastifyRequest, { jkt }: RefreshClaims): MaybePromise<Fault | 'other_key' | null> {
    const { proofs } = this.parts
    const proof = proofs.find(request)
    if (proof === null) return jkt === undefined ? null : 'missing'
    if (typeof proof === 'string') return proof
    if (jkt === undefined) return 'mismatch'
    return proof.key.key.thumbprint === jkt ? proofs.spend(request, proof) : 'other_key'
  }

  /** The current account: the new token has its role and username. */
  async #findHolder({ accountId, signInId }: RefreshClaims): Promise<Holder> {
    const found = await this.parts.accounts.find(accountId)
    if (found?.id !== accountId) throw new RefreshRefused()
    return { account: checkAccount(found), isSpared: found.spared === signInId }
  }

  /** If the record meets these terms, no later check refuses it. */
  #termsFor({ account, isSpared }: Holder, now: number): RotationTerms {
    return {
      epoch: isSpared ? 0 : account.epoch,
      // Token lifetimes are whole seconds. So at least one second is left after rounding.
      endsAfter: now + 2000,
      claimsMax: this.parts.access.roomForClaims(account),
    }
  }

  async #refuseEnded(record: SignInRecord, { account, isSpared }: Holder): Promise<void> {
    if (isSpared || account.epoch <= record.epoch) return
    if (!(await this.#isSparedByList(record, account))) throw new RefreshRefused()
  }

  /**
   * The account's epoch is above that of this live sign-in, and the account does not name it as spared. Either the list
   * has spared it, or the list does not have the new epoch yet. The list has that epoch if it refuses an unknown
   * sign-in of the epoch before.
   */
  async #isSparedByList({ accountId, generation }: SignInRecord, account: CheckedAccount): Promise<boolean> {
    const stranger = { accountId, signInId: '-', epoch: account.epoch - 1, generation }
    return !(await this.parts.signIns.isLive(stranger))
  }

  async #rotate({ accountId, signInId, counter }: RefreshClaims, terms?: RotationTerms): Promise<Found> {
    const { signIns, keys, refreshGrace } = this.parts
    const rotation = { presented: counter, keyId: keys.signing.id, grace: refreshGrace * 1000, terms }
    const result = await signIns.rotate(accountId, signInId, rotation)
    if (result.outcome === 'gone') throw new RefreshRefused()
    return result
  }

  async #judge(request: FastifyRequest, presented: RefreshClaims, result: Found): Promise<SignInRecord> {
    const { accountId, signInId } = presented
    const { outcome, signIn } = result
    const about = { accountId, signInId, mode: MODE }
    if (outcome === 'rotated' || outcome === 'repeated') {
      request.server.audit.emit({ type: 'refreshed', ...about, outcome }, request)
      return signIn
    }
    if (outcome === 'reused') {
      request.server.audit.emit({ type: 'refresh_reuse_detected', ...about }, request)
      // Thief and owner have the same token, and nothing tells them apart: both must sign in again.
      await this.parts.signIns.end(presented, { by: 'suite', why: 'refresh_reuse', request })
    }
    throw new RefreshRefused()
  }
}
