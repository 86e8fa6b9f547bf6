import type { FastifyInstance } from 'fastify'
import t from 'tap'
import apiKeyAuth from '../../plugins/api-key-auth.js'
import { memoryApiKeys } from '../helpers/memory-api-keys.js'
import {
  ALICE,
  BOB,
  cookieHeader,
  cookieMode,
  type Headers,
  sessionMode,
  tokenMode,
} from '../helpers/suite.js'
import { type ModeUnderTest, modeContract } from '../mode-contract.js'

/** The value of a signed cookie, altered in each of its parts. */
function alterCookie({ cookie = '' }: Headers): Record<string, Headers> {
  const [name, value = ''] = cookie.split('=')
  const [version, keyId, payload = '', mac = ''] = value.split('.')
  const made = (...parts: (string | undefined)[]) => ({ cookie: `${name}=${parts.join('.')}` })
  return {
    'without a MAC': made(version, keyId, payload),
    'with another payload': made(version, keyId, flipped(payload), mac),
    'with another MAC': made(version, keyId, payload, flipped(mac)),
    'under another key': made(version, 'AAAAAAAA', payload, mac),
    truncated: { cookie: cookie.slice(0, -5) },
    '%-encoded': { cookie: cookie.replaceAll('.', '%2E') },
    'sent twice': { cookie: `${cookie}; ${cookie}` },
    empty: { cookie: `${name}=` },
  }
}

function alterToken({ authorization = '' }: Headers): Record<string, Headers> {
  const [header, payload = '', signature = ''] = authorization.slice('Bearer '.length).split('.')
  const made = (...parts: (string | undefined)[]) => ({ authorization: `Bearer ${parts.join('.')}` })
  const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
  return {
    'without a signature': made(header, payload),
    'with an empty signature': made(header, payload, ''),
    'with another payload': made(header, flipped(payload), signature),
    'with another signature': made(header, payload, flipped(signature)),
    'of alg none': made(none, payload, ''),
    truncated: { authorization: authorization.slice(0, -5) },
    junk: { authorization: 'Bearer junk' },
  }
}

/** The text with another first character. */
function flipped(text: string): string {
  return `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`
}

const cookie: ModeUnderTest = {
  addMode: cookieMode(),
  ambient: true,
  challenge: 'Cookie',
  present: cookieHeader,
  alter: alterCookie,
  codes: { altered: 'CREDENTIAL_INVALID', expired: 'CREDENTIAL_EXPIRED' },
  lifetime: 3600,
  stepUpWith: () => ({}),
}

const session: ModeUnderTest = {
  ...cookie,
  addMode: sessionMode(),
  // A session past its time has no record: nobody can tell it from one that was ended.
  codes: { altered: 'CREDENTIAL_INVALID', expired: 'SIGNED_OUT' },
  lifetime: 7200,
  outlivesStepUp: 10,
  claimsStayHere: true,
}

const token: ModeUnderTest = {
  addMode: tokenMode(),
  ambient: false,
  challenge: 'Bearer',
  present: (answer) => ({ authorization: `Bearer ${answer.json().issued.token}` }),
  alter: alterToken,
  codes: { altered: 'TOKEN_INVALID', expired: 'TOKEN_EXPIRED' },
  lifetime: 900,
  stepUpWith: (answer) => ({ refreshToken: answer.json().issued.refreshToken }),
}

/** Each application has a database of its own. */
async function keyMode(app: FastifyInstance): Promise<void> {
  const { source } = memoryApiKeys((id) => [ALICE, BOB].find((account) => account.id === id) ?? null)
  await app.register(apiKeyAuth, { source })
}

function alterKey({ authorization = '' }: Headers): Record<string, Headers> {
  const [, id = '', secret = '', check = ''] = authorization.slice('Bearer '.length).split('_')
  const made = (...parts: string[]) => ({ authorization: `Bearer fik_${parts.join('_')}` })
  return {
    'with another check': made(id, secret, flipped(check)),
    'with another secret': made(id, flipped(secret), check),
    'with another id': made(flipped(id), secret, check),
    'without a check': made(id, secret),
    truncated: { authorization: authorization.slice(0, -1) },
    'with more': { authorization: `${authorization}A` },
    'the prefix alone': { authorization: 'Bearer fik_' },
  }
}

const key: ModeUnderTest = {
  addMode: keyMode,
  ambient: false,
  challenge: 'Bearer',
  present: (answer) => ({ authorization: `Bearer ${answer.json().issued.key}` }),
  alter: alterKey,
  codes: { altered: 'CREDENTIAL_INVALID', expired: 'CREDENTIAL_EXPIRED' },
  lifetime: 90 * 24 * 3600,
  inPlaceOfAuthTime: { scopes: [] },
  outlivesProcess: false,
}

modeContract(t, 'cookie', cookie)
modeContract(t, 'session', session)
modeContract(t, 'token', token)
modeContract(t, 'api_key', key)
