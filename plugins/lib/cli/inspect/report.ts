import type { GivenFactor } from '../../contract.js'
import { isBound } from '../../sign-ins/record.js'
import type { SignInRecord } from '../../stores/contract.js'
import type { Finding, InspectParts } from './finding.js'
import type { Liveness } from './liveness.js'

const SECOND = 1000
const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const

/** A time and its distance from now: `2026-01-01T00:00:00.000Z (in 3 minutes)`. Both are in ms. */
function moment(at: number, now: number): string {
  const away = Math.round(Math.abs(at - now) / SECOND)
  const [unit, size] = UNITS.find(([, each]) => away >= each) ?? ['second', 1]
  const count = Math.floor(away / size)
  const distance = `${count} ${unit}${count === 1 ? '' : 's'}`
  const date = new Date(at)
  const text = Number.isNaN(date.getTime()) ? String(at) : date.toISOString()
  return `${text} (${at > now ? `in ${distance}` : `${distance} ago`})`
}

function keyLine({ ring }: InspectParts, { keyId, kind }: Finding): string {
  if (keyId === null) return 'none that can be read'
  const place = ring.purpose('cookie').all.findIndex(({ id }) => id === keyId)
  if (place !== -1) return `${keyId} (secret number ${place + 1} of AUTH_SECRETS)`
  return kind === 'access token' ? `${keyId} (no secret of AUTH_SECRETS)` : `${keyId} (not in AUTH_SECRETS)`
}

function signInLines(signIn: SignInRecord | null, now: number): string[] {
  if (!signIn) return []
  return [
    `signed in:  ${moment(signIn.createdAt, now)} from ${signIn.ip || 'an unknown address'}`,
    `last seen:  ${moment(signIn.lastSeenAt, now)}`,
    `idle limit: ${moment(signIn.idleExpiresAt, now)}`,
    `ends by:    ${moment(signIn.absoluteExpiresAt, now)}`,
  ]
}

function contentLines({ content, kind }: Finding): string[] {
  if (content === null && kind === 'session cookie')
    return ['content:    a random id; the session itself is on the server']
  if (content === null) return []
  return ['content (readable by anybody who holds it):', JSON.stringify(content, null, 2)]
}

function verdict(finding: Finding, liveness: Liveness | null): string {
  const fault = finding.fault ?? liveness?.fault ?? null
  if (fault) return `verdict:    refused as ${fault.code}. ${fault.sentence}`
  const isProof = finding.kind === 'proof of a device'
  return `verdict:    accepted${isProof ? ', beside the cookie of the sign-in that it names' : ''}`
}

/** An expired credential, or a proof that has expired, is still genuine. */
function isGenuine({ kind, fault }: Finding): boolean {
  if (fault === null || fault.code.endsWith('_EXPIRED')) return true
  return kind === 'proof of a device' && fault.code === 'DEVICE_PROOF_REQUIRED'
}

const AMBIENT: ReadonlySet<string> = new Set<Finding['kind']>(['auth cookie', 'session cookie'])

/** A token names its key itself. For a cookie, the record of the sign-in tells. */
function boundLines({ kind, boundTo }: Finding, signIn: SignInRecord | null): string[] {
  if (boundTo) return [`bound:      to the key ${boundTo}; each use needs a DPoP proof by it`]
  if (!signIn || !AMBIENT.has(kind) || !isBound(signIn)) return []
  return ['bound:      to a device; without its proof, in another cookie, it is DEVICE_PROOF_REQUIRED']
}

function factorLines(factors: readonly GivenFactor[] | undefined, now: number): string[] {
  if (!factors) return []
  return [`factors:    ${factors.map(({ method, at }) => `${method}, ${moment(at, now)}`).join('; ')}`]
}

/** The report's lines. None of them works as a credential. */
export function linesOf(parts: InspectParts, finding: Finding, liveness: Liveness | null): string[] {
  const { now } = parts
  const { kind, expiresAt } = finding
  return [
    `kind:       ${kind}`,
    `key:        ${keyLine(parts, finding)}`,
    `genuine:    ${isGenuine(finding) ? 'yes' : 'no'}`,
    ...contentLines(finding),
    ...boundLines(finding, liveness?.signIn ?? null),
    ...(expiresAt === null ? [] : [`expires:    ${moment(expiresAt, now)}`]),
    ...factorLines(finding.factors ?? liveness?.factors ?? liveness?.signIn?.factors, now),
    ...signInLines(liveness?.signIn ?? null, now),
    ...(liveness?.remark ? [`remark:     ${liveness.remark}`] : []),
    verdict(finding, liveness),
  ]
}
