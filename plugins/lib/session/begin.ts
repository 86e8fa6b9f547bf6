import type { FastifyRequest } from 'fastify'
import type { CheckedAccount, SignInOptions, SignInRef } from '../contract.js'
import { refOf } from '../credentials/identity-claims.js'
import { StoreUnavailable } from '../errors.js'
import { refOfRecord } from '../sign-ins/record.js'
import { contentOfSignIn, type Legacy } from './content.js'
import { sessionKeyOf } from './cookie.js'
import type { StoredSession } from './records.js'
import { lifetimeOf, type SessionParts } from './use.js'

/**
 * Stores sign-in and session, then ends their predecessors. If a step fails, it ends no predecessor, and removes the
 * new sign-in again if the store can. No client holds that one.
 * @param id of the new session
 * @throws EPOCH_PASSED, STORE_UNAVAILABLE
 */
export async function beginSession(
  parts: SessionParts,
  request: FastifyRequest,
  id: string,
  account: CheckedAccount,
  options: SignInOptions,
  legacy: Legacy,
): Promise<[StoredSession, SignInRef]> {
  const { signIns, records, ttls, devices } = parts
  const key = sessionKeyOf(id)
  const lifetime = lifetimeOf(ttls, options.remember === true)
  const replaced = options.replaces ?? (legacy.signIn ? refOf(legacy.signIn) : undefined)
  const start = {
    mode: 'session' as const,
    account,
    ...lifetime,
    sessionKey: key,
    leaving: replaced,
    ...devices?.startOf(account),
  }
  const record = await signIns.begin(request, { ...start, options: { ...options, replaces: undefined } })
  try {
    const content = contentOfSignIn(record, account, options, legacy, devices !== null)
    const stored = await records.create(key, content, record)
    if (!stored) throw new StoreUnavailable()
    await endPredecessor(parts, request, account, legacy, replaced)
    return [stored, refOfRecord(record)]
  } catch (error) {
    await signIns.end({ accountId: account.id, signInId: record.id }, 'never_held').catch(() => {})
    throw error
  }
}

async function endPredecessor(
  { signIns, records }: SessionParts,
  request: FastifyRequest,
  { id: actorId }: CheckedAccount,
  legacy: Legacy,
  replaced: SignInOptions['replaces'],
): Promise<void> {
  if (replaced) await signIns.end(replaced, { by: 'self', why: 'replaced', actorId, request })
  // A sign-in's session ends with it in one step, so that no fault leaves half of it.
  if (legacy.key && !legacy.signIn) await records.destroy(legacy.key)
}
