import type { FastifyRequest } from 'fastify'
import type { AuthMode, MaybePromise, Resolution } from '../contract.js'
import { ABSENT, Verified } from '../verified/verified.js'
import type { Refused } from './refused.js'

/** `stop`: a bad credential ends the search. `next`: the other modes are tried. */
export type OnRefused = 'stop' | 'next'

/**
 * `past_ambient`: a bad credential ends the search only if its client sent it on purpose. A browser goes on sending a
 * dead cookie until it is told otherwise; a client with a dead token must learn that it has to refresh.
 */
export type SearchPolicy = OnRefused | 'past_ambient'

/** A resolution that names the caller. */
export type Found = Extract<Resolution, { kind: 'identity' }>

/** Where a search goes on: at a mode whose answer has come by then. */
interface Place {
  readonly index: number
  readonly refused: readonly Refused[]
  readonly answer: Resolution
}

const START: Place = Object.freeze({ index: 0, refused: Object.freeze([]), answer: ABSENT })

/** A resolution that is none must not pass for "not mine": plain JavaScript may return anything. */
function refusedBy(mode: AuthMode, resolution: Resolution): readonly Refused[] {
  if (resolution.kind === 'absent') return START.refused
  if (resolution.kind !== 'refused') throw new TypeError(`mode ${mode.name} answered with no resolution`)
  return [{ code: resolution.code, mode }]
}

/** Asks modes in their order for the caller of a request, and says what follows from that. */
export abstract class Search<T> {
  /** The modes to ask. */
  modes: readonly AuthMode[] = []

  constructor(protected readonly policy: SearchPolicy) {}

  /** @param now in ms; undefined after a mode has taken its time */
  protected abstract found(request: FastifyRequest, mode: AuthMode, found: Found, now?: number): T

  /** @param refused in the modes' order */
  protected abstract foundNobody(request: FastifyRequest, refused: readonly Refused[]): T

  /** Whether a credential that this mode refused ends the search. */
  protected isEndedBy(mode: AuthMode): boolean {
    return this.policy === 'stop' || (this.policy === 'past_ambient' && !mode.ambient)
  }

  /**
   * Nearly every request ends here: most modes find nothing, and one has the credential in memory. So this makes no
   * promise and no closure, and allocates nothing, until a mode answers with a promise or refuses.
   * @param now in ms
   */
  run(request: FastifyRequest, now?: number, from = START): MaybePromise<T> {
    let { index, refused } = from
    for (let mode = this.modes[index]; mode; mode = this.modes[++index]) {
      // By place, not by what the answer is: a mode that resolves to undefined must not be asked for ever.
      const isAnswered = from !== START && index === from.index
      const resolution = isAnswered ? from.answer : mode.resolve(request, now)
      if (resolution === ABSENT) continue
      if (resolution instanceof Verified) return this.found(request, mode, resolution, now)
      // Not `instanceof Promise`: a driver may have promises of its own kind.
      if ('then' in resolution) return this.#runLater(request, resolution, index, refused)
      if (resolution.kind === 'identity') return this.found(request, mode, resolution, now)
      refused = [...refused, ...refusedBy(mode, resolution)]
      if (resolution.kind === 'refused' && this.isEndedBy(mode)) break
    }
    return this.foundNobody(request, refused)
  }

  /** By then it is later: the modes that follow read the clock themselves. */
  async #runLater(
    request: FastifyRequest,
    resolving: PromiseLike<Resolution>,
    index: number,
    refused: readonly Refused[],
  ): Promise<T> {
    return this.run(request, undefined, { index, refused, answer: await resolving })
  }
}
