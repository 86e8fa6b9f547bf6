import type { Clock } from '../contract.js'
import { StoreUnavailable } from '../errors.js'
import { sessionKeyOf } from './cookie.js'
import { applyChanges, type Changes } from './merge.js'
import type { SessionRecords, StoredSession } from './records.js'
import { lifetimeOf, type SessionTtls } from './use.js'

/** Each conflict means that another writer got through: only as many of them at once exhaust these. */
const ATTEMPTS_MAX = 100

/** Writes what a request changed. */
export class SessionWriter {
  constructor(
    private readonly records: SessionRecords,
    private readonly ttls: SessionTtls,
    private readonly clock: Clock,
  ) {}

  /** Stores an anonymous session. @param id made in this request, so that it cannot have been destroyed */
  async create(id: string, changes: Changes): Promise<StoredSession | null> {
    const { idleTtl, absoluteTtl } = lifetimeOf(this.ttls, false)
    const now = this.clock()
    const limits = { idleExpiresAt: now + idleTtl * 1000, absoluteExpiresAt: now + absoluteTtl * 1000 }
    const key = sessionKeyOf(id)
    const content = { signIn: null, data: applyChanges({}, changes) }
    const created = await this.records.create(key, content, limits)
    // Two saves of one request at once: the other one was first.
    return created ?? this.merge(await this.records.read(key), changes)
  }

  /**
   * Makes the changes to a session, whatever others have changed in it since it was read. The sign-in is
   * kept as it is stored: no write of data changes who somebody is.
   * @returns the session as it is now, or null when it was destroyed
   */
  async merge(stored: StoredSession | null, changes: Changes): Promise<StoredSession | null> {
    let current = stored
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (!current || changes.size === 0) return current
      const { signIn, data } = current.content
      const saved = await this.records.replace(current, { signIn, data: applyChanges(data, changes) })
      if (saved === 'gone') return null
      if (saved !== 'conflict') return saved
      current = await this.records.read(current.key)
    }
    throw new StoreUnavailable()
  }
}
