import type { FastifyRequest } from 'fastify'
import type { Clock, MaybePromise, RefusalCode, Resolution } from '../contract.js'
import type { PurposeKeys } from '../credentials/keys.js'
import { ProofInvalid, ProofNonceRequired, StoreUnavailable } from '../errors.js'
import { kReply } from '../identity/sign-in.js'
import { Nonces } from './nonces.js'
import type { DpopSettings } from './options.js'
import { checkProof, type KnownKey, type Proof, type ProofFault } from './proof.js'
import { type Fault, wantsNonce } from './refused.js'
import type { Spending } from './used.js'

/** The proof of a request, and the result of its use. Several guards of one request share it. */
interface Shown {
  readonly proof: Proof | ProofFault | null
  spending: MaybePromise<Spending> | null
}

const kShown = Symbol('fastify-identity.dpop-proof')

declare module 'fastify' {
  interface FastifyRequest {
    [kShown]?: Shown
  }
}

/** Checks the proofs of logins and refreshes. */
export interface IssueProofs {
  /** The request's proof. Null without one. */
  find(request: FastifyRequest): Proof | Fault | null
  /** Notes its use. Call this after all other checks. @throws STORE_UNAVAILABLE also if the memory is full */
  spend(request: FastifyRequest, proof: Proof): MaybePromise<Fault | null>
  errorOf(fault: Fault): Error
}

/** RFC 9449 §5.1. */
const ALGORITHMS = 'algs="ES256 EdDSA RS256"'
const WORDS: Readonly<Record<string, string>> = {
  PROOF_INVALID: 'invalid_dpop_proof',
  PROOF_NONCE_REQUIRED: 'use_dpop_nonce',
}
const FULL = 'the memory of used DPoP proofs is full'

const codeOf = (fault: Fault) => (wantsNonce(fault) ? 'PROOF_NONCE_REQUIRED' : 'PROOF_INVALID')

/**
 * For a server without DPoP. It refuses a request with a proof, because its client would get a token that is not bound.
 */
export const NO_PROOFS: IssueProofs = Object.freeze({
  find: ({ headers }: FastifyRequest) => (headers.dpop === undefined ? null : 'malformed'),
  spend: () => 'malformed',
  errorOf: () => new ProofInvalid(),
})

/** Checks the DPoP proofs of requests (RFC 9449), each of them once. */
export class Proofs implements IssueProofs {
  /** For a request without a credential (§7.1). */
  readonly challenge = `DPoP ${ALGORITHMS}`
  readonly #nonces: Nonces

  constructor(
    private readonly settings: DpopSettings,
    keys: PurposeKeys,
    private readonly clock: Clock,
  ) {
    this.#nonces = new Nonces(keys)
  }

  /**
   * @param known the key of an earlier proof, if any
   * @param now in ms
   */
  find(
    request: FastifyRequest,
    known: KnownKey | null = null,
    now = this.clock(),
  ): Proof | ProofFault | null {
    return this.#shown(request, known, now).proof
  }

  /** Notes the use once in each request. */
  spend(request: FastifyRequest, { id, nonce }: Proof): MaybePromise<Fault | null> {
    const now = this.clock()
    const shown = this.#shown(request, null, now)
    shown.spending ??= this.settings.used.spend(id, nonce.bucket, now)
    // RFC 9449 §8.2: a client can get the next nonce without being refused first.
    if (!nonce.isCurrent) request[kReply]?.header('dpop-nonce', this.#nonces.current(now))
    const { spending } = shown
    return typeof spending === 'string' ? faultOf(spending) : spending.then(faultOf)
  }

  errorOf(fault: Fault): Error {
    const error = codeOf(fault) === 'PROOF_INVALID' ? new ProofInvalid() : new ProofNonceRequired()
    return Object.assign(error, { headers: this.#nonceHeader() })
  }

  /** The answer to a request with a bound token and a bad proof. */
  refusalOf(fault: Fault): Resolution {
    const { headers, ...refusal } = this.refuse(codeOf(fault))
    return { ...refusal, headers: { ...headers, ...this.#nonceHeader() } }
  }

  /** Refuses a bound token. The challenge names only its own scheme. */
  refuse(code: RefusalCode) {
    const word = WORDS[code] ?? 'invalid_token'
    return {
      kind: 'refused',
      code,
      headers: { 'www-authenticate': `DPoP error="${word}", ${ALGORITHMS}` },
    } as const
  }

  #nonceHeader(): { readonly 'dpop-nonce': string } {
    return { 'dpop-nonce': this.#nonces.current(this.clock()) }
  }

  #shown(request: FastifyRequest, known: KnownKey | null, now: number): Shown {
    request[kShown] ??= { proof: this.#check(request, known, now), spending: null }
    return request[kShown]
  }

  #check(request: FastifyRequest, known: KnownKey | null, now: number): Proof | ProofFault | null {
    const { dpop } = request.headers
    if (dpop === undefined) return null
    // The original URL: the server may have rewritten it, or a framework around it may have removed a prefix.
    const asked = { method: request.method, target: request.originalUrl }
    const rules = { origins: this.settings.origins, nonces: this.#nonces }
    return checkProof(dpop, asked, rules, known, now)
  }
}

/** @throws STORE_UNAVAILABLE */
function faultOf(spending: Spending): Fault | null {
  if (spending === 'full') throw new StoreUnavailable({ cause: new Error(FULL) })
  return spending === 'fresh' ? null : spending
}
