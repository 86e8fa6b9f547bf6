import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import type { FactorRefusal } from '../audit-events.js'
import type { FactorContext } from './context.js'
import type { StoredFactor, Verified } from './contract.js'

/** Ten codes of 120 bits. Nobody can guess one, so SHA-256 is enough (OWASP ASVS 5.0, 6.5.2 asks for 112 bits). */
const CODES = 10
const CODE_BYTES = 15
/** Crockford's base32, without letters that look like digits. Five bits each: 24 characters, in four groups. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const GROUPS = /.{6}/g
/** As printed. Lower case, and spaces in place of the hyphens, are accepted too. */
const SHAPE = /^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{6}(?:[- ][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{6}){3}$/
/** `counter` begins at a random number, and each used code adds one. */
const COUNTER_MAX = 2 ** 47

function encode(bytes: Buffer): string {
  let bits = BigInt(`0x${bytes.toString('hex')}`)
  let text = ''
  for (let left = (CODE_BYTES * 8) / 5; left > 0; left -= 1, bits >>= 5n)
    text = `${ALPHABET[Number(bits & 31n)]}${text}`
  return text
}

const newCode = () => encode(randomBytes(CODE_BYTES)).match(GROUPS)?.join('-') ?? ''

function hashOf(code: string): string {
  return createHash('sha256').update(code.replace(/[- ]/g, '').toUpperCase()).digest('base64url')
}

/** The id of the row that holds all codes of an account. */
export function recoveryId(accountId: string): string {
  return `rc_${createHash('sha256').update(accountId).digest('base64url')}`
}

export function newRecoveryRow(accountId: string, now: number) {
  const codes = Object.freeze(Array.from({ length: CODES }, newCode))
  const row: StoredFactor = {
    id: recoveryId(accountId),
    accountId,
    kind: 'recovery_code',
    name: '',
    secret: JSON.stringify(codes.map(hashOf)),
    keyId: null,
    counter: randomInt(COUNTER_MAX),
    createdAt: now,
    lastUsedAt: null,
  }
  return { codes, row }
}

function hashesOf({ secret }: StoredFactor): readonly string[] {
  const hashes: unknown = JSON.parse(secret)
  return Array.isArray(hashes) ? hashes.filter((hash) => typeof hash === 'string') : []
}

export function codesLeft(row: StoredFactor): number {
  return hashesOf(row).length
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Verifies a recovery code and spends it. */
export async function spendRecoveryCode(
  { app, source }: FactorContext,
  accountId: string,
  code: string,
): Promise<Verified | FactorRefusal> {
  if (!SHAPE.test(code)) return 'wrong'
  const hash = hashOf(code)
  // A parallel request may spend another code of the account. It can do so ten times at most: there are ten codes.
  for (let round = 0; round <= CODES; round += 1) {
    const row = (await source.list(accountId)).find(({ kind }) => kind === 'recovery_code')
    const hashes = row ? hashesOf(row) : []
    const rest = hashes.filter((one) => !isSame(one, hash))
    if (!row || rest.length === hashes.length) return round === 0 ? 'wrong' : 'used'
    const at = app.identityClock()
    const use = { counter: row.counter + 1, at, secret: JSON.stringify(rest), keyId: null }
    if (await source.spend(accountId, row.id, row.counter, use))
      return { given: { method: 'recovery_code', at }, left: rest.length }
  }
  return 'used'
}
