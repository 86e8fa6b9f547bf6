import type { FastifyRequest } from 'fastify'
import type { CheckedAccount } from 'fastify-identity'
import { endedMeanwhile } from './failures.js'

/**
 * The caller's account, under its present epoch. The database may have raised the epoch a moment before all processes know
 * that the caller's sign-in has ended. A thief must not turn that moment into something that lives on.
 * @throws SIGNED_OUT (403)
 */
export async function liveAccount({ identity, server }: FastifyRequest): Promise<CheckedAccount> {
  const { accountId, signInId } = identity
  const [account, record] = await Promise.all([
    server.accountSource.find(accountId),
    server.signIns.find(accountId, signInId),
  ])
  if (!account || !record) throw endedMeanwhile()
  const { id, username, role, epoch = 0, spared } = account
  if (spared !== signInId && record.epoch < epoch) throw endedMeanwhile()
  return { id, username, role, epoch }
}
