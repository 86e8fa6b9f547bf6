import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AuthMode, Begun, CheckedAccount, MaybePromise, Resolution, SignInOptions } from '../contract.js'
import { checkClaims } from '../credentials/sensitive-claims.js'
import { ApiKeyLimit } from '../errors.js'
import { bearerOf, readAuthorization } from '../http/bearer.js'
import { refOfRecord } from '../sign-ins/record.js'
import type { SignInRecord } from '../stores/contract.js'
import { VerifiedCache } from '../verified/cache.js'
import { ABSENT, type Kept, SIGNED_OUT, Verified } from '../verified/verified.js'
import type { ApiKeySource, StoredApiKey } from './contract.js'
import { hashOf, type KeyFormat } from './format.js'
import { INVALID, identityOfKey, KeyLookup, type PresentedKey } from './lookup.js'
import { refuseEndedMaker } from './maker.js'
import { type ApiKeySettings, checkNewKey, type NewApiKey } from './options.js'

/** What `request.signIn('api_key', account)` returns. The key is never shown again. */
export interface ApiKeyIssued {
  /** It is no secret, and names the key in lists. */
  readonly id: string
  readonly key: string
  readonly name: string
  readonly scopes: readonly string[]
  /** In ms. */
  readonly expiresAt: number
}

declare module '../contract.js' {
  interface AuthModes {
    api_key: ApiKeyIssued
  }
  interface SignInOptions {
    /** For the mode `api_key`: the properties of the new key. */
    readonly apiKey?: NewApiKey
  }
}

/** The key follows it. */
const SCHEME = /^bearer /i
const SCHEME_LENGTH = 'Bearer '.length

export interface ApiKeyModeParts {
  readonly app: FastifyInstance
  readonly settings: ApiKeySettings
  readonly format: KeyFormat
  readonly source: ApiKeySource
}

/** The mode: a long-lived key for a program, which its database remembers. */
export class ApiKeyMode implements AuthMode<'api_key'> {
  readonly name = 'api_key'
  readonly ambient = false
  readonly scheme = 'Bearer'
  /**
   * Keyed by the key, so that another spelling of the scheme costs no query. The cache looks at the last characters of a
   * key, which are its check and a part of its secret. Nobody knows these 60 bits without the key.
   */
  readonly cache: VerifiedCache
  readonly alone: AuthMode<'api_key'>
  readonly #lookup: KeyLookup

  constructor(private readonly parts: ApiKeyModeParts) {
    this.cache = new VerifiedCache(parts.settings.cache)
    this.#lookup = new KeyLookup(parts.app, parts.source)
    this.alone = this.#asAlone()
  }

  /** Ignores a header that holds no key. The token mode then checks whether it is malformed. */
  resolve(request: FastifyRequest, now = this.parts.app.identityClock()): MaybePromise<Resolution> {
    const { authorization: header } = request.headers
    if (typeof header !== 'string' || !header.startsWith(this.parts.format.start, SCHEME_LENGTH))
      return ABSENT
    // Before the cache, which knows nothing of schemes: any other one is no credential.
    if (!SCHEME.test(header)) return ABSENT
    readAuthorization(request)
    const verified = this.cache.recall(header.slice(SCHEME_LENGTH), now)
    return verified ? this.#resolveKept(verified, now) : this.#verify(request, header, now)
  }

  async issue(
    request: FastifyRequest,
    _reply: FastifyReply,
    account: CheckedAccount,
    options: SignInOptions,
  ): Promise<Begun<'api_key'>> {
    const { app, settings, format } = this.parts
    const wanted = checkNewKey(options.apiKey ?? {}, settings)
    const claims = checkClaims(options.claims)
    const { id, key } = format.make()
    const made = { name: wanted.name, scopes: wanted.scopes, claims, hash: hashOf(key).toString('base64url') }
    const record = await app.signIns.begin(request, {
      mode: this.name,
      account,
      options,
      absoluteTtl: wanted.expiresIn,
      id,
      keep: (record) => this.#insert({ ...made, ...ofRecord(record) }, options.replaces),
    })
    const ref = refOfRecord(record)
    await refuseEndedMaker(request, ref, options.replaces)
    const { createdAt, absoluteExpiresAt: expiresAt } = record
    const identity = identityOfKey({ ...made, ...ofRecord(record) }, account)
    this.cache.keep(new Verified(identity, key, ref, createdAt, expiresAt), createdAt)
    return { issued: { id, key, name: made.name, scopes: made.scopes, expiresAt }, signIn: ref }
  }

  async signOut(request: FastifyRequest): Promise<boolean> {
    const { app, format } = this.parts
    const header = readAuthorization(request)
    const text = header === null ? null : bearerOf(header)
    const id = text === null ? null : format.idOf(text)
    if (text === null || id === null) return false
    const found = await this.#lookup.find(request, { id, text })
    if (!found) return false
    const { accountId } = found.key
    await app.signIns.end({ accountId, signInId: id }, { signedOut: this.name, request })
    return true
  }

  /** Does nothing: no answer of a server can make the client forget its key. */
  clear(): void {}

  #asAlone(): AuthMode<'api_key'> {
    const resolve: AuthMode['resolve'] = (request, now) => {
      const header = readAuthorization(request)
      if (header !== null) bearerOf(header)
      return this.resolve(request, now)
    }
    const { name, ambient, scheme, cache } = this
    return {
      ...{ name, ambient, scheme, cache, resolve },
      issue: (request, reply, account, options) => this.issue(request, reply, account, options),
      signOut: (request) => this.signOut(request),
      clear() {},
    }
  }

  #verify(request: FastifyRequest, header: string, now: number): MaybePromise<Resolution> {
    const text = bearerOf(header)
    if (text === null) return ABSENT
    const id = this.parts.format.idOf(text)
    if (id === null) return INVALID
    return this.#lookup.recall(text, now) ?? this.#ask(request, { id, text }, now)
  }

  #resolveKept(kept: Kept, now: number): MaybePromise<Resolution> {
    const resolved = kept.resolve(this.parts.app.signIns)
    if (resolved instanceof Promise)
      return resolved.then((later) => (later === SIGNED_OUT ? this.#askAgain(kept, now) : later))
    return resolved === SIGNED_OUT ? this.#askAgain(kept, now) : resolved
  }

  /**
   * The key was ended, or the revocation list was lost. Only the database can tell which. After one query, the key is
   * cached as verified under the new list, or remembered as refused.
   */
  #askAgain({ text }: Kept, now: number): MaybePromise<Resolution> {
    const id = this.parts.format.idOf(text)
    if (id === null) return SIGNED_OUT
    return this.#lookup.recall(text, now) ?? this.#ask(null, { id, text }, now)
  }

  async #ask(request: FastifyRequest | null, key: PresentedKey, now: number): Promise<Resolution> {
    const judged = await this.#lookup.ask(request, key, now)
    if (judged.kind === 'refused') return judged
    const credential = new Verified(judged.identity, key.text, judged.ref, now, judged.until)
    this.cache.keep(credential, now)
    return credential.resolve(this.parts.app.signIns)
  }

  /** A key that replaces another one of its account takes its place. @throws API_KEY_LIMIT */
  async #insert(key: StoredApiKey, replaced: SignInOptions['replaces']): Promise<void> {
    const { source, settings } = this.parts
    const cap = settings.cap + (replaced?.accountId === key.accountId ? 1 : 0)
    if (!(await source.insert(key, cap))) throw new ApiKeyLimit()
  }
}

function ofRecord(record: SignInRecord) {
  const { id, accountId, epoch, createdAt, absoluteExpiresAt: expiresAt, ip, userAgent } = record
  return { id, accountId, epoch, createdAt, expiresAt, ip, userAgent, lastUsedAt: null, endedAt: null }
}
