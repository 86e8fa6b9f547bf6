import type { FastifyRequest } from 'fastify'
import type { AuthMode, Identity, MaybePromise, Resolution } from './contract.js'
import type { Refused } from './refusals.js'

/** What the modes made of a request, together. */
export interface Found {
  readonly identity: Identity | null
  /** The mode that recognised the caller. */
  readonly mode: AuthMode | null
  /** In the modes' order. */
  readonly refused: readonly Refused[]
}

/** `stop`: a bad credential ends the search. `next`: the other modes are tried. */
export type OnRefused = 'stop' | 'next'

const NONE_REFUSED: readonly Refused[] = Object.freeze([])

/**
 * Asks the modes in their order. Answers without a promise as long as every mode that was asked did.
 */
export function findCaller(
  request: FastifyRequest,
  modes: readonly AuthMode[],
  onRefused: OnRefused,
  index = 0,
  refused = NONE_REFUSED,
): MaybePromise<Found> {
  const mode = modes[index]
  if (!mode) return { identity: null, mode: null, refused }
  const next = (resolution: Resolution): MaybePromise<Found> => {
    if (resolution.kind === 'identity') return { identity: resolution.identity, mode, refused }
    if (resolution.kind === 'absent') return findCaller(request, modes, onRefused, index + 1, refused)
    // A mode in plain JavaScript may answer anything: what is no resolution must not pass for "not mine".
    if (resolution.kind !== 'refused') throw new TypeError(`mode ${mode.name} answered with no resolution`)
    const all = [...refused, { code: resolution.code, mode }]
    if (onRefused === 'stop') return { identity: null, mode: null, refused: all }
    return findCaller(request, modes, onRefused, index + 1, all)
  }
  const resolution = mode.resolve(request)
  // Not `instanceof Promise`: a driver may have promises of its own kind.
  return 'then' in resolution ? Promise.resolve(resolution).then(next) : next(resolution)
}
