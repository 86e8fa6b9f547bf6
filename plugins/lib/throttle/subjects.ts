import { createHmac } from 'node:crypto'
import { isIP } from 'node:net'
import { comparableName } from '../accounts/usernames.js'
import type { PurposeKeys } from '../credentials/keys.js'

/** Makes the names of counters. */
export type Subjects = ReturnType<typeof createSubjects>

/** The eight groups of an IPv6 address, in hexadecimal without leading zeros (RFC 5952 §4.1). */
function groupsOf(ip: string): string[] {
  const { hostname } = new URL(`http://[${ip}]`)
  const [head = [], tail = []] = hostname
    .slice(1, -1)
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':')))
  return [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail]
}

function dotted(high: string, low: string): string {
  const bytes = [high, low].flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 255]
  })
  return bytes.join('.')
}

/** Some proxies add the port in `X-Forwarded-For`: one client would have as many addresses as ports. */
const WITH_PORT = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/

function withoutPort(address: string): string {
  const [, six, four] = WITH_PORT.exec(address) ?? []
  const host = six ?? four ?? ''
  return isIP(host) > 0 ? host : address
}

/**
 * The part of an address that a client cannot choose: all of an IPv4 address, also when it is mapped into IPv6
 * (RFC 4291 §2.5.5.2), and the first 64 bits of an IPv6 address (§2.5.4).
 */
export function addressBlock(ip: string): string {
  const [bare = ''] = withoutPort(ip).split('%')
  if (isIP(bare) !== 6) return bare
  const groups = groupsOf(bare)
  const [, , , , , mark, high = '0', low = '0'] = groups
  const isMapped = mark === 'ffff' && groups.slice(0, 5).every((group) => group === '0')
  return isMapped ? dotted(high, low) : `${groups.slice(0, 4).join(':')}::/64`
}

/**
 * A keyed MAC: somebody may type a password as the name, and neither the store nor its readers may learn it. Braces
 * put all counters of one subject into one slot of a Redis Cluster.
 */
export function createSubjects({ signing }: PurposeKeys) {
  const name = (kind: string, ...parts: string[]) => {
    const mac = createHmac('sha256', signing.key).update([kind, ...parts].join('\0'))
    return `{${mac.digest('base64url').slice(0, 22)}}`
  }
  return {
    /** @param username as typed */
    account: (username: string) => name('account', comparableName(username)),
    /** @param ip as `clientAddress` returns it */
    address: (ip: string) => name('address', addressBlock(ip)),
    pair: (username: string, ip: string) => name('pair', addressBlock(ip), comparableName(username)),
    /** @param id from a device cookie */
    device: (id: string) => name('device', id),
    factor: (accountId: string) => name('factor', accountId),
    /** @param id from a device cookie */
    factorDevice: (id: string) => name('factor-device', id),
  }
}
