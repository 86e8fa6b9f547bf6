import { ConfigInvalid } from '../errors.js'
import type { Environment } from './values.js'
import * as read from './values.js'

/** A label of a host name (RFC 1035 §2.3.1). */
const LABEL = '[a-z\\d](?:[a-z\\d-]*[a-z\\d])?'
const HOST = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`)

/**
 * The domain of passkeys (relying party): the host of `PUBLIC_URL`, or a parent domain of it (WebAuthn Level 3 §5.1.3).
 * @returns null without `PUBLIC_URL`: then there are no passkeys
 * @throws CONFIG_INVALID
 */
export function readRelyingParty(env: Environment, production: boolean): string | null {
  const publicUrl = read.publicUrl(env, production)
  const rpId = read.text(env, 'RP_ID', '')
  if (publicUrl === null) {
    if (rpId !== '') throw new ConfigInvalid('RP_ID would do nothing without PUBLIC_URL.')
    return null
  }
  const { hostname } = new URL(publicUrl)
  if (rpId === '') return isHostName(hostname) ? hostname : null
  const isWithin = rpId === hostname || hostname.endsWith(`.${rpId}`)
  // No browser accepts a public suffix such as `com`. `localhost` is the only name without a dot that works.
  const isNarrow = rpId.includes('.') || rpId === 'localhost'
  if (!isHostName(rpId) || !isWithin || !isNarrow) {
    throw new ConfigInvalid('RP_ID must be the host of PUBLIC_URL, or a parent domain of it.')
  }
  return rpId
}

/** WebAuthn does not accept an IP address as a relying party. */
const isHostName = (host: string) => HOST.test(host) && !/^[\d.]+$/.test(host)
