import type { FastifyRequest } from 'fastify'
import type { AuthMode, MaybePromise, Resolution } from '../contract.js'
import { ABSENT, Verified } from '../verified/verified.js'
import type { Found } from './caller.js'
import type { Refused } from './refused.js'

/** `stop`: a bad credential ends the search. `next`: the other modes are tried. */
export type OnRefused = 'stop' | 'next'

/**
 * `past_ambient`: a bad credential ends the search unless a browser sends it by itself. A browser goes on sending a dead
 * cookie until the server clears it; a client with a dead token must learn that it has to refresh.
 */
export type SearchPolicy = OnRefused | 'past_ambient'

/** The place where a search continues: a mode, and its answer. */
interface Place {
  readonly index: number
  readonly refused: readonly Refused[]
  readonly answer: Resolution
}

const START: Place = Object.freeze({ index: 0, refused: Object.freeze([]), answer: ABSENT })

/** Plain JavaScript may return anything. An unknown answer must not count as `absent`. */
function refusedBy(mode: AuthMode, resolution: Resolution): readonly Refused[] {
  if (resolution.kind === 'absent') return START.refused
  if (resolution.kind !== 'refused') throw new TypeError(`mode ${mode.name} answered with no resolution`)
  return [{ code: resolution.code, mode, headers: resolution.headers }]
}

/** Asks modes in their order for a request's caller. Subclasses define the outcome. */
export abstract class Search<T> {
  /** The modes to ask. */
  modes: readonly AuthMode[] = []

  constructor(protected readonly policy: SearchPolicy) {}

  /** @param now in ms; undefined if a mode has answered later */
  protected abstract found(
    request: FastifyRequest,
    mode: AuthMode,
    found: Found,
    now?: number,
  ): MaybePromise<T>

  /** @param refused in the modes' order */
  protected abstract foundNobody(request: FastifyRequest, refused: readonly Refused[]): T

  /** Whether a credential that this mode refused ends the search. */
  protected isEndedBy(mode: AuthMode): boolean {
    return this.policy === 'stop' || (this.policy === 'past_ambient' && !mode.ambient)
  }

  /**
   * For most requests, one mode has the credential in memory and the others find none. So this allocates nothing, no promise
   * and no closure, until a mode answers with a promise or refuses.
   * @param now in ms
   */
  run(request: FastifyRequest, now?: number, from = START): MaybePromise<T> {
    let { index, refused } = from
    for (let mode = this.modes[index]; mode; mode = this.modes[++index]) {
      // Compares places, not answers. Otherwise a mode that resolves to undefined would be asked for ever.
      const isAnswered = from !== START && index === from.index
      const resolution = isAnswered ? from.answer : mode.resolve(request, now)
      if (resolution === ABSENT) continue
      if (resolution instanceof Verified) return this.found(request, mode, resolution, now)
      // A driver may have its own kind of promise: `instanceof Promise` would miss it.
      if ('then' in resolution) return this.#runLater(request, resolution, index, refused)
      if (resolution.kind === 'identity') return this.found(request, mode, resolution, now)
      refused = [...refused, ...refusedBy(mode, resolution)]
      if (resolution.kind === 'refused' && this.isEndedBy(mode)) break
    }
    return this.foundNobody(request, refused)
  }

  /** Time has passed: the other modes read the clock themselves. */
  async #runLater(
    request: FastifyRequest,
    resolving: PromiseLike<Resolution>,
    index: number,
    refused: readonly Refused[],
  ): Promise<T> {
    return this.run(request, undefined, { index, refused, answer: await resolving })
  }
}
