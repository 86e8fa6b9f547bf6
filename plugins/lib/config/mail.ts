import { ConfigInvalid } from '../errors.js'
import { emailOf } from '../mail/address.js'
import type { Environment } from './values.js'
import * as read from './values.js'

/** Where mails are handed over, and whom they come from. */
export interface MailServer {
  readonly host: string
  readonly port: number
  /** TLS from the first byte (`smtps:`). */
  readonly tls: boolean
  /** Null: the server asks for none. */
  readonly auth: { readonly user: string; readonly pass: string } | null
  readonly from: { readonly name: string; readonly address: string }
}

const URL_WANTED =
  'MAIL_URL must be smtp://host:port or smtps://user:password@host:port, with user and password percent-encoded.'
const FROM_WANTED = 'MAIL_FROM must be an address, or a name and <address>.'

/** RFC 8314 §3.3 and RFC 6409 §3.1: submission with TLS, and without it or with STARTTLS. */
const PORTS = { 'smtps:': 465, 'smtp:': 587 } as const

const isMailProtocol = (protocol: string): protocol is keyof typeof PORTS => Object.hasOwn(PORTS, protocol)

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ConfigInvalid(URL_WANTED)
  }
}

function readServer(value: string): Omit<MailServer, 'from'> {
  const url = URL.canParse(value) ? new URL(value) : null
  const isBare = url !== null && /^\/?$/.test(url.pathname) && url.search === '' && url.hash === ''
  const isAuthWhole = url !== null && (url.username === '') === (url.password === '')
  if (!isBare || !isAuthWhole || !isMailProtocol(url.protocol) || url.hostname === '')
    throw new ConfigInvalid(URL_WANTED)
  const auth = url.username === '' ? null : { user: decoded(url.username), pass: decoded(url.password) }
  const host = decoded(url.hostname).replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? PORTS[url.protocol] : Number(url.port)
  return { host, port, tls: url.protocol === 'smtps:', auth }
}

/** A name must not be able to end the header line, or to contain an address. */
function readFrom(value: string): MailServer['from'] {
  const [, name = '', bracketed] = /^(?:"?([^"<>@\p{C}]*?)"?\s*)?<([^<>]*)>$/u.exec(value) ?? []
  const address = emailOf(bracketed ?? value)
  if (address === null) throw new ConfigInvalid(FROM_WANTED)
  return { name: name.trim(), address }
}

/** Null without `MAIL_URL`. @throws CONFIG_INVALID */
export function readMail(env: Environment, production: boolean): MailServer | null {
  const [url, from] = [read.text(env, 'MAIL_URL', ''), read.text(env, 'MAIL_FROM', '')]
  const isPublic = read.publicUrl(env, production) !== null
  if (url === '' && from !== '') throw new ConfigInvalid('MAIL_FROM would do nothing without MAIL_URL.')
  if (url === '') return null
  if (from === '') throw new ConfigInvalid('MAIL_URL needs MAIL_FROM.')
  if (!isPublic) throw new ConfigInvalid('MAIL_URL needs PUBLIC_URL, for the links in mails.')
  return Object.freeze({ ...readServer(url), from: readFrom(from) })
}
