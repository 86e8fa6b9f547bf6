import type { FastifyRequest } from 'fastify'
import type { AuthMode, Identity, MaybePromise, Resolution } from '../contract.js'
import type { Marks } from '../sign-ins/marks.js'
import { Recognised } from '../verified/verified.js'
import type { Refused } from './refusals.js'

/** What the modes made of a request, together. */
export interface Found {
  readonly identity: Identity | null
  /** The mode that recognised the caller. */
  readonly mode: AuthMode | null
  /** In the modes' order. */
  readonly refused: readonly Refused[]
  /** What is known of the credential, if that is kept: the identity is frozen then. */
  readonly marks?: Marks
}

/** `stop`: a bad credential ends the search. `next`: the other modes are tried. */
export type OnRefused = 'stop' | 'next'

/**
 * `past_ambient`: a bad credential ends the search only if its client sent it on purpose. A browser goes on sending a
 * dead cookie until it is told otherwise; a client with a dead token must learn that it has to refresh.
 */
export type RefusalPolicy = OnRefused | 'past_ambient'

/** Whether a refusal by this mode ends the search. */
export function endsSearch(policy: RefusalPolicy, mode: AuthMode): boolean {
  return policy === 'stop' || (policy === 'past_ambient' && !mode.ambient)
}

const NONE_REFUSED: readonly Refused[] = Object.freeze([])

/** No mode has found anything. */
export const NOBODY: Found = Object.freeze({ identity: null, mode: null, refused: NONE_REFUSED })

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

type Known = Extract<Resolution, { kind: 'identity' }>

function found(resolution: Known, mode: AuthMode, refused: readonly Refused[]): Found {
  const { identity } = resolution
  return resolution instanceof Recognised
    ? { identity, mode, refused, marks: resolution.marks }
    : { identity, mode, refused }
}

/**
 * Asks the modes in their order, from the one at `index` on. Answers without a promise as long as every mode that
 * was asked did, and makes no closure until then.
 * @param now in ms
 */
export function findCaller(
  request: FastifyRequest,
  modes: readonly AuthMode[],
  policy: RefusalPolicy,
  now?: number,
  index = 0,
  refused = NONE_REFUSED,
): MaybePromise<Found> {
  const mode = modes[index]
  if (!mode) return { identity: null, mode: null, refused }
  return continueSearch(mode.resolve(request, now), mode, request, modes, policy, now, index, refused)
}

/** What a mode's answer means: the end of the search, or that the next one is asked. */
export function continueSearch(
  resolution: MaybePromise<Resolution>,
  mode: AuthMode,
  request: FastifyRequest,
  modes: readonly AuthMode[],
  policy: RefusalPolicy,
  now: number | undefined,
  index: number,
  before = NONE_REFUSED,
): MaybePromise<Found> {
  // Not `instanceof Promise`: a driver may have promises of its own kind.
  if ('then' in resolution) return findLater(resolution, mode, request, modes, policy, index, before)
  if (resolution.kind === 'identity') {
    return found(resolution, mode, before)
  }
  const refused = withRefusal(before, resolution, mode)
  if (resolution.kind === 'refused' && endsSearch(policy, mode))
    return { identity: null, mode: null, refused }
  return findCaller(request, modes, policy, now, index + 1, refused)
}

/** By then it is later: the modes that follow read the clock themselves. */
async function findLater(
  resolving: PromiseLike<Resolution>,
  mode: AuthMode,
  request: FastifyRequest,
  modes: readonly AuthMode[],
  policy: RefusalPolicy,
  index: number,
  before: readonly Refused[],
): Promise<Found> {
  return continueSearch(await resolving, mode, request, modes, policy, undefined, index, before)
}
