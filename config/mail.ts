import type { FastifyInstance } from 'fastify'
import type { Deliver, MailMessage, MailOptions } from 'fastify-identity/accounts'
import type { Config } from 'fastify-identity/config'
import { type WrittenMail, writeMail } from './mail-texts.js'

type Server = NonNullable<Config['mail']>

/** In ms. The suite aborts a delivery after 45 s. */
const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000 }

const LOOPBACK = /^(localhost|127\..*|::1)$/

/** Passwords go only over TLS, unless the server is this machine. Otherwise somebody on the way could strip it. */
function transportOptions({ host, port, tls: secure, auth }: Server) {
  const requireTLS = !secure && auth !== null && !LOOPBACK.test(host)
  const nothingElse = { disableFileAccess: true, disableUrlAccess: true }
  return { host, port, secure, requireTLS, ...(auth && { auth }), ...TIMEOUTS, ...nothingElse }
}

/**
 * The error without the server's words, which may repeat our password or somebody's address. A refused recipient is never
 * tried again.
 */
function deliveryFault(error: unknown): Error {
  const { code, responseCode }: { code?: unknown; responseCode?: unknown } = Object(error)
  const status = typeof responseCode === 'number' ? ` ${responseCode}` : ''
  const fault = new Error(`The mail server failed: ${typeof code === 'string' ? code : 'no code'}${status}`)
  const isPermanent = code === 'EENVELOPE' && typeof responseCode === 'number' && responseCode >= 500
  return Object.assign(fault, { permanent: isPermanent })
}

async function deliverBySmtp(server: Server, publicUrl: string): Promise<Deliver> {
  const { createTransport } = await import('nodemailer')
  const transport = createTransport(transportOptions(server))
  const { hostname } = new URL(publicUrl)
  return async (message: MailMessage, signal: AbortSignal) => {
    const { subject, text } = writeMail(message, publicUrl)
    const mail = {
      from: server.from,
      to: { name: '', address: message.to },
      subject,
      text,
      messageId: `<${message.id}@${hostname}>`,
      // RFC 3834 §5: no automatic answers.
      headers: { 'Auto-Submitted': 'auto-generated' },
      signal,
    }
    await transport.sendMail(mail).catch((error: unknown) => {
      throw deliveryFault(error)
    })
  }
}

/** A mail that the server would send if `MAIL_URL` were set. */
export interface ShownMail extends WrittenMail {
  /** In ms. */
  readonly time: number
  readonly to: string
}

declare module 'fastify' {
  interface FastifyInstance {
    /** In development without a mail server: the newest mails, the newest first. */
    shownMails?: readonly ShownMail[]
  }
}

/** How many mails are kept for the lab. */
const SHOWN = 20

/** Only in development, because the log and the lab then contain tokens and codes. */
function deliverToLog(app: FastifyInstance, publicUrl: string): Deliver {
  const shown: ShownMail[] = []
  app.decorate('shownMails', shown)
  return async (message) => {
    const mail = { to: message.to, ...writeMail(message, publicUrl) }
    app.log.info({ mail }, 'a mail, not sent because MAIL_URL is not set')
    shown.unshift({ time: Date.now(), ...mail })
    shown.splice(SHOWN)
  }
}

/** How this server sends mails; undefined if it sends none. Links name `PUBLIC_URL`, and never the `Host` of a request. */
export async function mailOptions(
  app: FastifyInstance,
  { mail, publicUrl, production }: Config,
): Promise<MailOptions | undefined> {
  if (publicUrl === null) return undefined
  if (mail !== null) return { deliver: await deliverBySmtp(mail, publicUrl) }
  return production ? undefined : { deliver: deliverToLog(app, publicUrl) }
}
