import type { FastifyInstance } from 'fastify'
import { OptionInvalid } from '../errors.js'
import { checkWhole, type Known, refuseUnknown } from '../options.js'
import type { StateStore } from '../stores/contract.js'
import { checkPublicOrigins } from './address.js'
import { MemoryOfUse, StoreOfUse, type UsedProofs } from './used.js'

export interface DpopOptions {
  /**
   * The origins of this server as clients reach it, such as `https://example.com`. A proof must name one of them.
   * `http` only for `localhost` and loopback addresses.
   */
  readonly origins: readonly string[]
  /**
   * Whether to ask the store, once for each proof, if it was used. Then no instance accepts a proof that another one
   * has accepted. Defaults to false: each instance remembers only the proofs that it has accepted itself.
   */
  readonly strict?: boolean
  /** The most proofs that an instance remembers. When it is full, bound requests get 503. Defaults to 1000000. */
  readonly memory?: number
}

/** Checked and completed. */
export interface DpopSettings {
  readonly origins: readonly string[]
  readonly used: UsedProofs
}

const OPTIONS: Known<DpopOptions> = { origins: true, strict: true, memory: true }
const MEMORY = 1_000_000
/** A set of JavaScript holds 16.7 million at most. */
const MEMORY_MAX = 10_000_000

function strictUse(app: FastifyInstance, memory: number | undefined): UsedProofs {
  if (memory !== undefined) throw new OptionInvalid('dpop.memory', 'would do nothing with strict')
  const store: StateStore = app.stateStore
  if (!store.spendOnce) throw new OptionInvalid('dpop.strict', 'wants a store with the operation spendOnce')
  return new StoreOfUse(async (id, until, now) => (await store.spendOnce?.(id, until, now)) === true)
}

/** @throws OPTION_INVALID */
export function checkDpopOptions(app: FastifyInstance, options: DpopOptions): DpopSettings {
  if (typeof options !== 'object' || options === null) throw new OptionInvalid('dpop', 'wants { origins }')
  refuseUnknown(options, OPTIONS, [])
  const origins = checkPublicOrigins(options.origins)
  const { strict = false, memory } = options
  if (typeof strict !== 'boolean') throw new OptionInvalid('dpop.strict', 'wants true or false')
  if (strict) return Object.freeze({ origins, used: strictUse(app, memory) })
  const max = checkWhole('dpop.memory', memory ?? MEMORY, 1, MEMORY_MAX)
  return Object.freeze({ origins, used: new MemoryOfUse(max) })
}
