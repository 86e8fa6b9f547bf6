import type { Claims, ClaimValue } from './contract.js'
import { ClaimInvalid, ClaimSensitive } from './errors.js'

/**
 * Names that never belong where a client can read them. Compared whole, without case, `_` and `-`, so
 * that `card_number` and `cardNumber` are one name and `password_changed_at` is none of them.
 */
const SENSITIVE = new Set([
  ...[
    'password',
    'passwd',
    'pwd',
    'passphrase',
    'passwordhash',
    'hash',
    'salt',
    'pin',
    'otp',
    'totp',
    'mfasecret',
  ],
  ...['secret', 'clientsecret', 'apikey', 'privatekey', 'secretkey', 'accesstoken', 'refreshtoken', 'token'],
  ...['cardnumber', 'creditcard', 'card', 'cvv', 'cvc', 'iban', 'accountnumber', 'bankaccount'],
  ...['ssn', 'socialsecuritynumber', 'idnumber', 'idcard', 'passport', 'passportnumber', 'taxid'],
  ...[
    'phone',
    'phonenumber',
    'mobile',
    'address',
    'homeaddress',
    'birthdate',
    'dateofbirth',
    'securityanswer',
  ],
])

const DEPTH_MAX = 8

function refuseSensitive(name: string): void {
  if (SENSITIVE.has(name.toLowerCase().replace(/[_\-\s]/g, ''))) throw new ClaimSensitive(name)
}

function copyValue(name: string, value: unknown, depth: number): ClaimValue {
  if (depth > DEPTH_MAX) throw new ClaimInvalid(name, 'it is nested too deep')
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (Array.isArray(value)) return Object.freeze(value.map((item) => copyValue(name, item, depth + 1)))
  if (typeof value === 'object') return copyObject(value, depth)
  throw new ClaimInvalid(name, 'it is not JSON')
}

function copyObject(value: object, depth: number): { readonly [name: string]: ClaimValue } {
  const pairs = Object.entries(value).map(([name, inner]) => {
    refuseSensitive(name)
    return [name, copyValue(name, inner, depth + 1)] as const
  })
  return Object.freeze(Object.fromEntries(pairs))
}

const NONE: Claims = Object.freeze({})

/**
 * A frozen copy of what an application wants a credential to carry.
 * @throws CLAIM_SENSITIVE for the name of a secret at any depth, CLAIM_INVALID for what is not JSON
 */
export function checkClaims(claims: unknown): Claims {
  if (claims === undefined || claims === null) return NONE
  if (typeof claims !== 'object' || Array.isArray(claims))
    throw new ClaimInvalid('claims', 'they are not an object')
  return copyObject(claims, 0)
}
