import type { Test } from 'tap'
import { KeyFormat } from '../../plugins/lib/api-key/format.js'
import {
  type CredentialCenter,
  ELSEWHERE,
  type Held,
  secretPart,
  WRONG,
} from '../helpers/credential-kinds.js'
import { enrolTotp } from '../helpers/factor-center.js'
import { forgeKey } from '../helpers/forge.js'
import { type Credential, MODES, type Mode, refusedByCenter, USER } from '../helpers/http.js'
import type { Cell, Row } from './row.js'

/** Keys of the right form that nobody has made. */
function unknownKeys(count: number): string[] {
  const format = new KeyFormat('fik')
  return Array.from({ length: count }, () => format.make().key)
}

/** A parallel burst of guesses from one address. @returns the codes of the answers */
async function guess(center: CredentialCenter, keys: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(keys.map((key) => center.use('API key', key, { from: ELSEWHERE })))
  return answers.map((answer) => answer.json().error).sort()
}

const LIMIT = 5
const SPENT = [...Array(LIMIT).fill('CREDENTIAL_INVALID'), ...Array(20 - LIMIT).fill('THROTTLED')]

/** The same with another letter in what nobody can guess. */
function altered(held: Held): string {
  const secret = secretPart(held)
  return held.text.replace(secret, `${secret.startsWith('A') ? 'B' : 'A'}${secret.slice(1)}`)
}

export const keyGuesser: Row = {
  env: async () => ({ LOGIN_LIMIT_ADDRESS: String(LIMIT) }),
  async every(t, center, kind) {
    const held = await center.obtain(kind)
    t.same(await guess(center, unknownKeys(20)), SPENT)
    await center.refusesInvented(t, kind, altered(held), 'altered')
    await center.accepts(t, held, 'its owner is elsewhere, and not held up')
  },
  instead: {
    async 'API key'(t, center) {
      const held = await center.obtain('API key')
      const [, id = ''] = held.text.split('_')
      const [stranger = ''] = unknownKeys(1)
      const wrong = await center.use('API key', forgeKey(id))
      refusedByCenter(t, wrong, 403, 'CREDENTIAL_INVALID')
      t.equal((await center.use('API key', stranger)).body, wrong.body, 'ids are not told apart')
      t.same(await guess(center, unknownKeys(20)), SPENT)
      const mistyped = `${held.text.slice(0, -6)}000000`
      const answer = await center.use('API key', mistyped, { from: ELSEWHERE })
      refusedByCenter(t, answer, 403, 'CREDENTIAL_INVALID', 'a wrong check is not counted')
      t.equal(
        (await center.use('API key', held.text, { from: ELSEWHERE })).statusCode,
        200,
        'one in use goes on',
      )
    },
  },
}

/** Logs in by a mode, as somebody who knows nothing but names. */
const byLogin =
  (mode: Mode, more: object = {}): Cell =>
  async (t, center) => {
    const unknown = await center.login(mode, {}, { ...WRONG, username: 'nobody', ...more }, ELSEWHERE)
    const wrong = await center.login(mode, {}, { ...WRONG, ...more }, ELSEWHERE)
    refusedByCenter(t, wrong, 401, 'CREDENTIALS_REFUSED')
    t.equal(wrong.body, unknown.body, 'names are not told apart')
    const right = await center.login(mode, {}, { ...USER, ...more }, ELSEWHERE)
    refusedByCenter(t, right, 429, 'THROTTLED', 'the attempts are used up')
    t.equal(right.headers['set-cookie'], undefined)
    t.equal(
      (await center.enter(mode, { ...USER, ...more })).statusCode,
      200,
      'the owner’s device has its own',
    )
  }

export const passwordGuesser: Row = {
  every: (t, center, kind) =>
    byLogin(kind === 'cookie' || kind === 'session' ? kind : 'token')(t, center, kind),
  instead: {
    refresh: byLogin('token', { refresh_cookie: true }),
    async 'API key'(t, center) {
      const { headers } = await center.obtain('API key')
      const payload = { current_password: WRONG.password, new_password: 'three quiet ravens' }
      for (let guesses = 0; guesses < 3; guesses++) {
        const answer = await center.send({ method: 'POST', url: '/password', headers, payload })
        refusedByCenter(t, answer, 403, 'MODE_REQUIRED', 'it tries no password')
      }
      t.equal((await center.login('token')).statusCode, 200, 'and closes no account')
    },
    async 'device cookie'(t, center) {
      const { headers } = await center.obtain('device cookie')
      refusedByCenter(t, await center.login('cookie', headers, WRONG), 401, 'CREDENTIALS_REFUSED')
      refusedByCenter(
        t,
        await center.login('cookie', headers),
        429,
        'THROTTLED',
        'this device has no attempt left',
      )
      t.equal((await center.enter('cookie')).statusCode, 200, 'another one has')
    },
  },
}

/** Requests that would let a thief take the account over, by a sign-in from before the factor. */
const TAKEOVERS = [
  { method: 'POST', url: '/factors/totp', payload: {} },
  { method: 'POST', url: '/passkeys/options', payload: {} },
  { method: 'POST', url: '/factors/recovery_codes', payload: {} },
  { method: 'POST', url: '/api_keys', payload: { name: 'mine' } },
  { method: 'POST', url: '/email', payload: { email: 'thief@mail.example' } },
] as const

/** The right password alone, with and without the credential. */
async function tryPassword(t: Test, center: CredentialCenter, headers: Credential): Promise<void> {
  for (const mode of MODES) {
    const answer = await center.login(mode, headers)
    t.match(answer.json(), { code: 401, error: 'SECOND_FACTOR_REQUIRED' }, mode)
    t.same(
      answer.cookies.map(({ name }) => name),
      mode === 'token' ? [] : ['__Host-pending'],
      'no credential, and no device cookie',
    )
    const { pending } = answer.json().data
    const asToken = await center.send({ url: '/user_info', headers: { authorization: `Bearer ${pending}` } })
    t.equal(asToken.statusCode, 403, 'the pending value is no credential')
  }
}

export const passwordHolder: Row = {
  async every(t, center, kind) {
    const held = await center.obtain(kind)
    const owner = await center.owner()
    const totp = await enrolTotp(center, owner)
    const id = String((await center.app.accounts.findByUsername(USER.username))?.id)
    const factors = await center.app.factors.list(id)
    for (const headers of [{}, held.headers]) await tryPassword(t, center, headers)
    for (const request of TAKEOVERS) {
      const answer = await center.send({ ...request, headers: held.headers })
      t.equal(answer.statusCode, 403, `${request.url}: ${answer.json().error}`)
    }
    const removing = { method: 'DELETE', url: `/factors/${factors[0]?.id}`, headers: held.headers } as const
    t.equal((await center.send(removing)).statusCode, 403)
    const guess = async (code: string) => {
      const { pending } = (await center.login('token')).json().data
      const payload = { pending, factor: 'totp', code }
      return center.send({ method: 'POST', url: '/login_factor', payload })
    }
    refusedByCenter(t, await guess('000000'), 401, 'FACTOR_REFUSED')
    refusedByCenter(t, await guess(totp.next()), 429, 'THROTTLED', 'a new login brings no new guesses')
    t.same(await center.app.factors.list(id), factors)
    await center.app.factors.reset(id)
  },
}
