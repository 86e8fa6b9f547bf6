import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type {
  AuthMode,
  Begun,
  CheckedAccount,
  GivenFactor,
  MaybePromise,
  Resolution,
  SignInOptions,
  SignInTimes,
  StepUpOptions,
} from '../contract.js'
import { identityOf, refOf } from '../credentials/identity-claims.js'
import { checkClaims } from '../credentials/sensitive-claims.js'
import { BoundToken, BoundTokens } from '../dpop/bound.js'
import type { Proof } from '../dpop/proof.js'
import { type IssueProofs, NO_PROOFS, type Proofs } from '../dpop/proofs.js'
import { bearerOf, dpopOf, readAuthorization } from '../http/bearer.js'
import { isClaimedBearer } from '../http/bearer-prefixes.js'
import type { SignIns } from '../sign-ins/contract.js'
import { refOfRecord } from '../sign-ins/record.js'
import { VerifiedCache } from '../verified/cache.js'
import { ABSENT, type Kept, refusedAs, Verified } from '../verified/verified.js'
import type { AccessClaims, AccessTokens } from './access-token.js'
import type { TokenSettings } from './options.js'
import { type TokenPair, tokenPair } from './pair.js'
import type { RefreshCookies } from './refresh-cookie.js'
import type { Refresher } from './refresher.js'

const INVALID = refusedAs('TOKEN_INVALID')
const EXPIRED = refusedAs('TOKEN_EXPIRED')

export interface TokenModeParts {
  readonly app: FastifyInstance
  readonly settings: TokenSettings
  readonly access: AccessTokens
  readonly refreshCookie: RefreshCookies
  /** Null if no token can be bound to a key. */
  readonly proofs: Proofs | null
  readonly refresher: Refresher
}

/** The mode: a short-lived access token that the client sends itself, and a refresh token that rotates. */
export class TokenMode implements AuthMode<'token'> {
  readonly name = 'token'
  readonly ambient = false
  readonly scheme = 'Bearer'
  readonly challenges: readonly string[]
  /** Keyed by the whole header, because the scheme and its spelling were verified as well. */
  readonly cache: VerifiedCache
  readonly #signIns: SignIns
  readonly #bound: BoundTokens | null
  readonly #issueProofs: IssueProofs

  constructor(private readonly parts: TokenModeParts) {
    const { app, settings, proofs } = parts
    this.cache = new VerifiedCache(settings.cache)
    this.#signIns = app.signIns
    this.#bound = proofs && new BoundTokens(app, proofs)
    this.#issueProofs = proofs ?? NO_PROOFS
    this.challenges = proofs ? [proofs.challenge] : []
  }

  resolve(request: FastifyRequest, now = this.parts.app.identityClock()): MaybePromise<Resolution> {
    const header = readAuthorization(request)
    if (header === null) return ABSENT
    const kept = this.cache.recall(header, now)
    return kept ? this.#resolveKept(request, kept, now) : this.#verify(request, header, now)
  }

  /** Each rotation issues an access token. Its times are whole seconds. */
  endsAt({ absoluteExpiresAt, refresh }: SignInTimes): number {
    if (!refresh) return absoluteExpiresAt
    const issuedAt = Math.floor(refresh.rotatedAt / 1000)
    return Math.min((issuedAt + this.parts.settings.accessTtl) * 1000, absoluteExpiresAt)
  }

  #resolveKept(request: FastifyRequest, kept: Kept, now: number): MaybePromise<Resolution> {
    if (kept instanceof BoundToken && this.#bound) return this.#bound.resolve(request, kept, now)
    return kept.resolve(this.#signIns)
  }

  #verify(request: FastifyRequest, header: string, now: number): MaybePromise<Resolution> {
    const token = bearerOf(header)
    if (token === null) return this.#verifyBound(request, header, now)
    // A text with the prefix of another mode, such as an API key, is left to that mode.
    if (isClaimedBearer(this.parts.app, token)) return ABSENT
    const claims = this.parts.access.open(token, now)
    if (!claims) return INVALID
    if (claims.cnf) return this.#bound?.refuseBearer(request, refOf(claims)) ?? INVALID
    if (now >= claims.exp * 1000) return EXPIRED
    const credential = verifiedOf(claims, header, now)
    this.cache.keep(credential, now)
    return credential.resolve(this.#signIns)
  }

  #verifyBound(request: FastifyRequest, header: string, now: number): MaybePromise<Resolution> {
    const token = this.#bound && dpopOf(header)
    if (!this.#bound || token === null) return ABSENT
    const claims = this.parts.access.open(token, now)
    if (!claims?.cnf) return this.#bound.refuse('TOKEN_INVALID')
    if (now >= claims.exp * 1000) return this.#bound.refuse('TOKEN_EXPIRED')
    const credential = new BoundToken(verifiedOf(claims, header, now), token, claims.cnf.jkt)
    this.cache.keep(credential, now)
    return this.#bound.resolve(request, credential, now)
  }

  precheck(request: FastifyRequest): void {
    this.#proofOf(request)
  }

  async issue(
    request: FastifyRequest,
    _reply: FastifyReply,
    account: CheckedAccount,
    options: SignInOptions,
  ): Promise<Begun<'token'>> {
    const { app, access, settings } = this.parts
    const proof = this.#proofOf(request)
    const claims = checkClaims(options.claims)
    access.checkSize(account, claims)
    const jkt = proof && (await this.#spend(request, proof))
    const keys = app.keyRing.purpose('refresh-token')
    const record = await this.#signIns.begin(request, {
      mode: this.name,
      account,
      options,
      absoluteTtl: settings.refreshTtl,
      refreshKeyId: keys.signing.id,
      claims,
      ...(jkt !== null && { binding: `dpop:${jkt}` }),
    })
    const { createdAt } = record
    const token = access.issue(record, account, claims, createdAt, jkt)
    const signIn = refOfRecord(record)
    const { accountId, signInId } = signIn
    if (jkt !== null) app.audit.emit({ type: 'sign_in_bound', accountId, signInId, mode: this.name }, request)
    return { issued: tokenPair(keys, record, token, createdAt, jkt), signIn }
  }

  /** @throws PROOF_INVALID, PROOF_NONCE_REQUIRED */
  #proofOf(request: FastifyRequest): Proof | null {
    const proof = this.#issueProofs.find(request)
    if (typeof proof === 'string') throw this.#issueProofs.errorOf(proof)
    return proof
  }

  /** @returns the thumbprint of its key @throws as `#proofOf`, and STORE_UNAVAILABLE */
  async #spend(request: FastifyRequest, proof: Proof): Promise<string> {
    const fault = await this.#issueProofs.spend(request, proof)
    if (fault) throw this.#issueProofs.errorOf(fault)
    return proof.key.key.thumbprint
  }

  stepUp(
    request: FastifyRequest,
    _reply: FastifyReply,
    given: readonly GivenFactor[],
    { refreshToken = null }: StepUpOptions,
  ): Promise<TokenPair> {
    return this.parts.refresher.refresh(request, refreshToken, { caller: request.identity, given })
  }

  /** Needs no proof. Anybody with a token may end its sign-in, and a thief can do nothing else with it. */
  async signOut(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const { app, access, refreshCookie } = this.parts
    const header = readAuthorization(request)
    const token = header === null ? null : (bearerOf(header) ?? (this.#bound && dpopOf(header)))
    const isOurs = token !== null && !isClaimedBearer(app, token)
    const claims = isOurs ? access.open(token, app.identityClock()) : null
    if (claims) await this.#signIns.end(refOf(claims), { signedOut: this.name, request })
    const hadCookie = await refreshCookie.signOut(request)
    this.clear(request, reply)
    return claims !== null || hadCookie
  }

  /** Clears the refresh cookie. No header of a response removes the tokens that a client holds. */
  clear(request: FastifyRequest, reply: FastifyReply): void {
    this.parts.refreshCookie.clear(request, reply)
  }
}

function verifiedOf(claims: AccessClaims, header: string, now: number): Verified {
  return new Verified(identityOf(claims, 'token'), header, refOf(claims), now, claims.exp * 1000)
}
