import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../contract.js'
import { LastSeen } from '../sign-ins/last-seen.js'
import { Batches } from '../stores/batches.js'
import type { ApiKeySource } from './contract.js'

export interface LastUseParts {
  readonly source: Pick<ApiKeySource, 'noteUse'>
  readonly clock: Clock
  readonly log: Pick<FastifyBaseLogger, 'warn'>
  /** Resolves when the next group may be written: after a second by default, at once when `signal` is aborted. */
  readonly pause?: (signal: AbortSignal) => Promise<unknown>
}

/** In ms. One write covers the uses of this time. */
const PAUSE = 1000

const pauseBetween = (signal: AbortSignal) =>
  delay(PAUSE, undefined, { signal, ref: false }).catch(() => undefined)

const FAILED = 'when API keys were last used could not be written'

interface Use {
  readonly id: string
  readonly at: number
}

/**
 * Writes when keys were last used. Each key is written once a minute at most, and one write covers all keys of a
 * second. No request waits.
 */
export class LastUse {
  readonly seen: LastSeen
  readonly #closing = new AbortController()

  constructor({ source, clock, log, pause = pauseBetween }: LastUseParts) {
    const groups = new Batches<Use, boolean>(async (uses) => {
      const ids = uses.map(({ id }) => id)
      const at = Math.max(...uses.map((use) => use.at))
      // One line in the log for all keys of the group.
      await source.noteUse(ids, at).catch((err: unknown) => log.warn({ err }, FAILED))
      await pause(this.#closing.signal)
      return ids.map(() => true)
    })
    const touchSignIn = (_accountId: string, id: string, at: number) => groups.add({ id, at })
    this.seen = new LastSeen({ store: { touchSignIn }, clock, log })
  }

  /** Resolves when everything is written. */
  close(): Promise<void> {
    this.#closing.abort()
    return this.seen.settle()
  }
}
