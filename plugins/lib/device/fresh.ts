import type { FastifyReply, FastifyRequest } from 'fastify'
import type { MaybePromise, SignInRef } from '../contract.js'
import { DeviceProofRequired } from '../errors.js'
import type { Found } from '../identity/caller.js'
import { Newest } from '../newest.js'
import { Verified } from '../verified/verified.js'
import { markedAddress, takeMark } from './mark.js'
import type { ModeDevices } from './mode-devices.js'
import { AHEAD_MAX, ASKS_MAX, ASKS_WITHIN, FRESH_FOR } from './times.js'

/** About 150 bytes each. */
const ASKED_MAX = 10_000

/** The browser must repeat the request, with the proof for a challenge that nobody has seen before. */
export class FreshProofWanted extends Error {
  constructor(readonly answer: (reply: FastifyReply) => void) {
    super('a fresh proof is wanted')
  }
}

/** The caller is known, but has no fresh proof. Not the refusal itself: for that, a guard may send people to a login page. */
export class FreshProofMissing extends Error {
  readonly refusal = new DeviceProofRequired()
}

/**
 * Requires a fresh proof for a sensitive action: a thief with a copied proof must not turn it into something that lasts
 * longer. It asks by one redirect to the same address, and the browser renews its proof before it follows. It asks at
 * most three times in ten minutes, because a browser that signs too often stops signing for a while.
 */
export class FreshProofs {
  /** When each sign-in was asked, in ms. */
  readonly #asked = new Newest<string, readonly number[]>(ASKED_MAX)

  /** @param devicesOf a mode; null if its sign-ins cannot be bound */
  constructor(private readonly devicesOf: (mode: string) => ModeDevices | null) {}

  /**
   * A promise only for a request from the first 75 seconds of a sign-in, which may have been bound after its cookie was issued.
   * @throws FreshProofWanted, FreshProofMissing, STORE_UNAVAILABLE
   */
  require(request: FastifyRequest, found: Found, now: number): MaybePromise<void> {
    const isMarked = takeMark(request)
    const devices = this.devicesOf(found.identity.mode)
    if (!devices || !(found instanceof Verified)) return
    if (found.proof !== null) return this.#judge(request, devices, found, isMarked, now)
    if (!devices.isOpen(found)) return
    return devices.isBound(found).then((is) => {
      if (is) this.#judge(request, devices, found, isMarked, now)
    })
  }

  #judge(
    request: FastifyRequest,
    devices: ModeDevices,
    found: Verified,
    isMarked: boolean,
    now: number,
  ): void {
    const { freshAt } = devices.proofOf(request, found, now)
    const isFresh = now - freshAt <= FRESH_FOR && now - freshAt >= -AHEAD_MAX
    if (isFresh) return
    if (isMarked || !this.#mayAsk(found, now)) {
      devices.tellRefused(request, found, 'missing', now)
      throw new FreshProofMissing()
    }
    throw new FreshProofWanted((reply) => {
      devices.askFresh(request, reply, found, now)
      reply.redirect(markedAddress(request), 307)
    })
  }

  #mayAsk({ signInId }: SignInRef, now: number): boolean {
    const recent = (this.#asked.get(signInId) ?? []).filter((at) => Math.abs(now - at) < ASKS_WITHIN)
    if (recent.length >= ASKS_MAX) return false
    this.#asked.set(signInId, [...recent, now])
    return true
  }
}
