import { endOfCookie } from '../../cookie/seal.js'
import { readFactors } from '../../credentials/given-factors.js'
import { refOf } from '../../credentials/identity-claims.js'
import type { KeyRing, Purpose } from '../../credentials/keys.js'
import { verifyValue } from '../../credentials/signed-value.js'
import { openAuthCookie } from '../../inspect.js'
import { readSessionId } from '../../session/cookie.js'
import { openRefreshToken } from '../../token/refresh-token.js'
import { decodeObject, expiryOf, type Fault, type Finding, type InspectParts, NOTHING } from './finding.js'
import type { Pasted } from './pasted.js'

type SignedPurpose = Extract<Purpose, 'cookie' | 'session-id' | 'refresh-token' | 'device-proof'>

const KINDS = {
  cookie: 'auth cookie',
  'session-id': 'session cookie',
  'refresh-token': 'refresh token',
  'device-proof': 'proof of a device',
} as const satisfies Record<SignedPurpose, Finding['kind']>

const PURPOSES: readonly SignedPurpose[] = ['cookie', 'session-id', 'refresh-token', 'device-proof']
const SESSION_ID_BYTES = 32
const SHAPE = /^v1\.([\w-]+)\.([\w-]+)\.([\w-]+)$/

/** Guesses the kind of a value that no key verifies, for the report only. */
function looksLike(payload: string): SignedPurpose {
  if (decodeObject(payload)) return 'cookie'
  return Buffer.from(payload, 'base64url').length === SESSION_ID_BYTES ? 'session-id' : 'refresh-token'
}

const wanted = ({ cookie }: Pasted): SignedPurpose | null =>
  cookie === null ? null : cookie === 'cookie' ? 'cookie' : 'session-id'

function faultOf(ring: KeyRing, keyId: string, purpose: SignedPurpose): Fault {
  const code = purpose === 'refresh-token' ? 'REFRESH_REFUSED' : 'CREDENTIAL_INVALID'
  const ids = ring.purpose(purpose).all.map(({ id }) => id)
  const sentence = ids.includes(keyId)
    ? 'It names a key of this server, but its MAC does not match: it was altered, or a part is missing.'
    : `It was signed with a key that is not here (here: ${ids.join(', ')}): the secret was removed, or belongs to another installation.`
  return { code, sentence }
}

const MISPLACED: Fault = {
  code: 'CREDENTIAL_INVALID',
  sentence: 'It is genuine, but stands under the name of another cookie.',
}

/** The content of a genuine value, and its expiry (ms) if it contains one. */
function describe(
  { ring, config }: InspectParts,
  purpose: SignedPurpose,
  text: string,
  payload: string,
): Omit<Finding, 'kind' | 'keyId' | 'fault'> {
  if (purpose === 'session-id') {
    const named = readSessionId(payload)
    const subject = named && ({ kind: 'session', ...named } as const)
    return { content: null, expiresAt: null, subject }
  }
  if (purpose === 'cookie') {
    const content = openAuthCookie(ring, text)
    const expiresAt = content && endOfCookie(content, config.cookieAbsoluteTtl)
    const subject = content && ({ kind: 'sign-in', ref: refOf(content) } as const)
    const factors = content ? readFactors(content.fac, content.auth_time * 1000) : undefined
    return { content, expiresAt, subject, factors }
  }
  if (purpose === 'device-proof') {
    const content = decodeObject(payload)
    return { content, expiresAt: expiryOf(content), subject: null }
  }
  const claims = openRefreshToken(ring.purpose(purpose), text)
  const subject = claims && ({ kind: 'refresh', claims } as const)
  return { content: claims, expiresAt: null, subject, boundTo: claims?.jkt }
}

const OVER: Fault = { code: 'CREDENTIAL_EXPIRED', sentence: 'It is genuine, but has expired.' }
const PROOF_OVER: Fault = { ...OVER, code: 'DEVICE_PROOF_REQUIRED' }

/** Inspects a signed value: an auth cookie, a session cookie, a refresh token or the proof of a device. */
export function inspectSigned(parts: InspectParts, pasted: Pasted): Finding {
  const { ring, now } = parts
  const [, keyId, payload] = SHAPE.exec(pasted.text) ?? []
  if (!keyId || !payload) return NOTHING
  const purpose = PURPOSES.find((each) => verifyValue(ring.purpose(each), pasted.text) !== null)
  if (!purpose) {
    const likely = wanted(pasted) ?? looksLike(payload)
    const content = decodeObject(payload)
    const fault = faultOf(ring, keyId, likely)
    return { kind: KINDS[likely], keyId, content, expiresAt: expiryOf(content), fault, subject: null }
  }
  const described = describe(parts, purpose, pasted.text, payload)
  const { expiresAt } = described
  const isMisplaced = (wanted(pasted) ?? purpose) !== purpose
  const isOver = expiresAt !== null && expiresAt <= now
  const over = purpose === 'device-proof' ? PROOF_OVER : OVER
  const fault = isMisplaced ? MISPLACED : isOver ? over : null
  return { kind: KINDS[purpose], keyId, fault, ...described }
}
