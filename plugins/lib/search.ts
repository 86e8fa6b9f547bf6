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

/** `refused` and this refusal. What is no resolution must not pass for "not mine": plain JavaScript may say anything. */
function withRefusal(
  refused: readonly Refused[],
  resolution: Resolution,
  mode: AuthMode,
): readonly Refused[] {
  if (resolution.kind === 'absent') return refused
  if (resolution.kind !== 'refused') throw new TypeError(`mode ${mode.name} answered with no resolution`)
  return [...refused, { code: resolution.code, mode }]
}

/**
 * Asks the modes in their order, from the one at `index` on. Answers without a promise as long as every mode that
 * was asked did, and makes no closure until then: it runs with every request.
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
  const resolution = mode.resolve(request)
  // Not `instanceof Promise`: a driver may have promises of its own kind.
  return 'then' in resolution
    ? findLater(resolution, mode, request, modes, onRefused, index, refused)
    : conclude(resolution, mode, request, modes, onRefused, index, refused)
}

/** What a mode's answer means: the end of the search, or that the next one is asked. */
function conclude(
  resolution: Resolution,
  mode: AuthMode,
  request: FastifyRequest,
  modes: readonly AuthMode[],
  onRefused: OnRefused,
  index: number,
  before: readonly Refused[],
): MaybePromise<Found> {
  if (resolution.kind === 'identity') return { identity: resolution.identity, mode, refused: before }
  const refused = withRefusal(before, resolution, mode)
  const stops = resolution.kind === 'refused' && onRefused === 'stop'
  if (stops) return { identity: null, mode: null, refused }
  return findCaller(request, modes, onRefused, index + 1, refused)
}

type Rest = Parameters<typeof conclude> extends [Resolution, ...infer R] ? R : never

async function findLater(resolving: PromiseLike<Resolution>, ...rest: Rest): Promise<Found> {
  return conclude(await resolving, ...rest)
}
