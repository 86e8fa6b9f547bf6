import { domainToASCII } from 'node:url'

/** RFC 5321 §4.5.3.1.3, without the angle brackets. In bytes. */
const ADDRESS_MAX = 254
/** RFC 5321 §4.5.3.1.1. */
const LOCAL_MAX = 64

/**
 * The local part as a dot-atom (RFC 5322 §3.2.3). Quoted parts may contain spaces and `@`, and letters of other scripts may
 * look like ASCII, so neither is accepted. No character can end a header line or begin another address.
 */
const LOCAL = /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/
/** At least two labels (RFC 1035 §2.3.1). The last one has a letter, so IP addresses are refused. */
const DOMAIN = /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+(?=\d*[a-z])[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/

/** A character that no domain contains: not a letter, mark, digit, dot or hyphen of any script. */
const STRANGE = /[^\p{L}\p{M}\p{Nd}.-]/u

/**
 * The address as it is stored, or null if the text is not an address. The domain is in lower case and ASCII: a domain
 * that only looks like another shows as `xn--…`. Nothing is trimmed.
 */
export function emailOf(typed: string): string | null {
  if (typed.length > ADDRESS_MAX) return null
  const at = typed.lastIndexOf('@')
  const [local, domain] = [typed.slice(0, at), typed.slice(at + 1)]
  if (at < 1 || local.length > LOCAL_MAX || !LOCAL.test(local) || STRANGE.test(domain)) return null
  const ascii = domainToASCII(domain)
  const email = `${local}@${ascii}`
  return DOMAIN.test(ascii) && email.length <= ADDRESS_MAX ? email : null
}

/** The form in which addresses are compared. No mail is ever sent to it. */
export const emailKey = (email: string): string => email.toLowerCase()
