import type { FastifyRequest } from 'fastify'
import { noticeByMail } from './mail-notice.js'

/** Whether earlier sign-ins of the account are on record, and none of them came from this address. */
async function isNewAddress({ server, ip }: FastifyRequest, accountId: string): Promise<boolean> {
  const recent = await server.accountEvents.recent(accountId, { type: 'signed_in' })
  const people = recent.filter(({ details }) => details.mode !== 'api_key')
  // The sign-in of this request is one of them.
  return people.length > 1 && people.filter((event) => event.ip === ip).length === 1
}

async function tell(request: FastifyRequest, username: string): Promise<void> {
  const { accounts, throttle } = request.server
  if (await throttle.knowsDevice(request, username)) return
  const details = await accounts.findByUsername(username)
  const account = details && (await accounts.find(details.id))
  // The events are read only for accounts that can get a mail.
  if (!account?.email || !(await isNewAddress(request, account.id))) return
  await noticeByMail(request, { accountId: account.id, what: 'new_device' })
}

/**
 * After a sign-in: tells the owner by mail if neither the device cookie nor the client's address is known. The sign-in does
 * not fail if that fails.
 */
export async function noticeNewDevice(request: FastifyRequest, username: string): Promise<void> {
  if (!request.server.hasAccountMail) return
  await tell(request, username).catch((err: unknown) => {
    request.log.error({ err }, 'a notice of a new device could not be stored')
  })
}
