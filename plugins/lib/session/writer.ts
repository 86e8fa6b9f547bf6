import { StoreUnavailable } from '../errors.js'
import { sessionKeyOf } from './cookie.js'
import { applyChanges, type Changes } from './merge.js'
import type { SessionRecords, StoredSession } from './records.js'
import { lifetimeOf, type SessionParts } from './use.js'

/** Each conflict means that another writer succeeded, so only this many writers at once exhaust the attempts. */
const ATTEMPTS_MAX = 100

/** Stores an anonymous session. @param id made in this request, so that it cannot have been destroyed */
export async function createAnonymous(
  { records, ttls, clock }: Pick<SessionParts, 'records' | 'ttls' | 'clock'>,
  id: string,
  changes: Changes,
): Promise<StoredSession | null> {
  const { idleTtl, absoluteTtl } = lifetimeOf(ttls, false)
  const now = clock()
  const limits = { idleExpiresAt: now + idleTtl * 1000, absoluteExpiresAt: now + absoluteTtl * 1000 }
  const key = sessionKeyOf(id)
  const created = await records.create(key, { signIn: null, data: applyChanges({}, changes) }, limits)
  // If one request saves twice at once, the other save was first.
  return created ?? mergeChanges(records, await records.read(key), changes)
}

/**
 * Merges the changes into a session, whatever others have changed in it since it was read. Keeps the stored sign-in:
 * writing data never changes whose session it is.
 * @returns the session as it is now, or null if it was destroyed
 */
export async function mergeChanges(
  records: SessionRecords,
  stored: StoredSession | null,
  changes: Changes,
): Promise<StoredSession | null> {
  let current = stored
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (!current || changes.size === 0) return current
    const { signIn, data } = current.content
    const saved = await records.replace(current, { signIn, data: applyChanges(data, changes) })
    if (saved === 'gone') return null
    if (saved !== 'conflict') return saved
    current = await records.read(current.key)
  }
  throw new StoreUnavailable()
}
