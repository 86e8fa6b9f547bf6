import type { FastifyRequest } from 'fastify'
import type { SignInRef } from '../contract.js'
import { SignedOut } from '../errors.js'
import { kCaller } from '../identity/caller.js'
import { kUnauthenticatedStatus } from '../identity/refused.js'
import { Verified } from '../verified/verified.js'

type Ref = Pick<SignInRef, 'accountId' | 'signInId'>

async function isOver({ accountId, signInId }: Ref, { server }: FastifyRequest): Promise<boolean> {
  return (await server.signIns.find(accountId, signInId)) === null
}

/**
 * Takes a new key back if the sign-in of the request that makes it has ended meanwhile. Somebody who ended all sign-ins of
 * the account may have listed its keys just before this one was stored. A thief would keep it.
 * @param replaced the sign-in in whose place the key comes
 * @throws SIGNED_OUT, STORE_UNAVAILABLE
 */
export async function refuseEndedMaker(
  request: FastifyRequest,
  key: Ref,
  replaced: Pick<SignInRef, 'signInId'> | undefined,
): Promise<void> {
  const { server, [kCaller]: caller } = request
  // A mode of an application may keep no record.
  if (!(caller instanceof Verified) || caller.signInId === replaced?.signInId) return
  try {
    if (!(await isOver(caller, request))) return
    const headers = { 'www-authenticate': 'Bearer' }
    throw Object.assign(new SignedOut(), { statusCode: server[kUnauthenticatedStatus], headers })
  } catch (error) {
    await server.signIns.end(key, 'never_held').catch(() => {})
    throw error
  }
}
