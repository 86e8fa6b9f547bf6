import type { Claims, ClaimValue } from '../contract.js'
import { ClaimInvalid, ClaimSensitive } from '../errors.js'

/**
 * Names that no client may read. Compared whole, without case, `_`, `-`, `.` and spaces: `card_number` and `cardNumber`
 * are one name, and `password_changed_at` is not listed.
 */
const SENSITIVE = new Set(
  [
    // Credentials of a person
    'password passwords passwd pwd passphrase passcode oldpassword newpassword currentpassword',
    'userpassword plainpassword rawpassword passwordhash hashedpassword passwordsalt hash salt',
    'pin pincode otp otpsecret totp totpsecret onetimepassword mfasecret twofactorsecret',
    'recoverycode recoverycodes backupcode backupcodes securityanswer secretanswer credential credentials',
    // Credentials of systems
    'secret secrets secretkey clientsecret apisecret sharedsecret authsecret authsecrets apikey apikeys',
    'accesskey secretaccesskey privatekey signingkey encryptionkey token accesstoken refreshtoken authtoken',
    'apitoken bearertoken sessiontoken idtoken resettoken jwt connectionstring databaseurl',
    // Money
    'card cardnumber cardno creditcard creditcardnumber debitcard debitcardnumber pan cvv cvv2 cvc cvc2',
    'cardcvv cardcvc cardexpiry iban accountnumber bankaccount bankaccountnumber bankcard routingnumber',
    // Official documents
    'ssn socialsecurity socialsecuritynumber idnumber idno idcard idcardnumber nationalid nationalidnumber',
    'identitynumber identitycard passport passportnumber passportno driverslicense driverlicense taxid taxnumber',
    // Contact and personal data
    'phone phonenumber phoneno telephone mobile mobilenumber mobilephone cellphone address homeaddress',
    'streetaddress postaladdress billingaddress shippingaddress birthdate dateofbirth birthday dob maidenname',
    'mothersmaidenname',
  ].flatMap((line) => line.split(' ')),
)

const DEPTH_MAX = 8
/**
 * The limit for the whole object. Otherwise an object that is referenced twice at each depth would be copied
 * exponentially often.
 */
const VALUES_MAX = 1000

interface Budget {
  left: number
}

function refuseName(name: string): void {
  if (SENSITIVE.has(name.toLowerCase().replace(/[_\-.\s]/g, ''))) throw new ClaimSensitive(name)
  // Merging the claims into another object would set its prototype.
  if (name === '__proto__') throw new ClaimInvalid(name, 'it is no name for a field')
}

/** True for `{…}`. A Date, a Map or an instance of a class would lose its meaning in JSON. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function copyValue(name: string, value: unknown, depth: number, budget: Budget): ClaimValue {
  budget.left -= 1
  if (depth > DEPTH_MAX || budget.left < 0)
    throw new ClaimInvalid(name, 'it is nested too deep, or too large')
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (Array.isArray(value)) {
    // Also visits the holes of an array, which are not JSON.
    return Object.freeze(Array.from(value, (item) => copyValue(name, item, depth + 1, budget)))
  }
  if (typeof value === 'object' && isPlain(value)) return copyObject(value, depth, budget)
  throw new ClaimInvalid(name, 'it is not JSON')
}

function copyObject(value: object, depth: number, budget: Budget): Claims {
  const pairs = Object.entries(value).map(([name, inner]) => {
    refuseName(name)
    return [name, copyValue(name, inner, depth + 1, budget)] as const
  })
  return Object.freeze(Object.fromEntries(pairs))
}

/** The claims of an application, `{}` for none. @throws CLAIM_INVALID unless they are a plain object */
export function claimsObject(claims: unknown): object {
  if (claims === undefined || claims === null) return {}
  if (typeof claims === 'object' && !Array.isArray(claims) && isPlain(claims)) return claims
  throw new ClaimInvalid('claims', 'they are not an object')
}

/**
 * A frozen copy of the claims that an application adds to a credential.
 * @throws CLAIM_SENSITIVE for the name of a secret at any depth, CLAIM_INVALID for anything that is not JSON
 */
export function checkClaims(claims: unknown): Claims {
  return copyObject(claimsObject(claims), 0, { left: VALUES_MAX })
}
