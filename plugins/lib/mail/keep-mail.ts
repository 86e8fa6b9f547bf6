import type { FastifyInstance } from 'fastify'
import type { Context } from '../accounts/changes.js'
import { OptionInvalid } from '../errors.js'
import { type AccountMail, compose, createAccountMail } from './account-mail.js'
import type { MailOptions } from './contract.js'
import { Outbox } from './outbox.js'
import { MailSecrets } from './secrets.js'
import { OutboxWorker } from './worker.js'

/** Sends mails from the start of the application until it closes. @throws OPTION_INVALID */
export function keepMail(app: FastifyInstance, context: Context, { deliver }: MailOptions): AccountMail {
  if (typeof deliver !== 'function') throw new OptionInvalid('mail', 'wants { deliver }, a function')
  const outbox = new Outbox(context.db, context.clock)
  const parts = { context, outbox, secrets: new MailSecrets(() => app.keyRing.purpose('mail')) }
  const worker = new OutboxWorker({ outbox, compose: (row) => compose(parts, row), deliver, log: app.log })
  app.addHook('onReady', async function startMails() {
    if (!app.hasDecorator('keyRing')) throw new OptionInvalid('mail', 'wants fastify-identity/identity')
    worker.kick()
  })
  // Runs before the database closes: these hooks run in reverse order.
  app.addHook('onClose', async function stopMails() {
    await worker.close()
  })
  return createAccountMail(parts, worker)
}
