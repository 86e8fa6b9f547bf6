import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { AuthMode } from '../../plugins/lib/contract.js'
import { claimsOf, identityOf, refOf } from '../../plugins/lib/credentials/identity-claims.js'
import { checkClaims } from '../../plugins/lib/credentials/sensitive-claims.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieHeader,
  cookieMode,
  type Headers,
  refused,
  sessionMode,
  tokenMode,
} from '../helpers/suite.js'
import { modeContract } from '../mode-contract.js'

// The mode begins: a badge in a header, remembered by this process for a day.
declare module '../../plugins/lib/contract.js' {
  interface AuthModes {
    badge: string
  }
}
async function badgeAuth(app: FastifyInstance, ttl = 86_400) {
  const keys = new Map<unknown, ReturnType<typeof claimsOf>>()
  app.authModes.add({
    ...{ name: 'badge', ambient: false, scheme: 'Badge', clear() {} },
    async resolve({ headers: { 'x-badge': key } }) {
      const claims = keys.get(key)
      if (!claims) return key ? { kind: 'refused', code: 'CREDENTIAL_INVALID' } : { kind: 'absent' }
      if (app.identityClock() >= claims.exp * 1000) return { kind: 'refused', code: 'CREDENTIAL_EXPIRED' }
      if (!(await app.signIns.isLive(refOf(claims)))) return { kind: 'refused', code: 'SIGNED_OUT' }
      return { kind: 'identity', identity: identityOf(claims, 'badge') }
    },
    async issue(request, _reply, account, options) {
      const [claims, key] = [checkClaims(options.claims), randomBytes(24).toString('base64url')]
      const record = await app.signIns.begin(request, { mode: 'badge', account, options, absoluteTtl: ttl })
      const own = claimsOf(record, account, claims, record.createdAt, ttl)
      keys.set(key, own)
      return { issued: key, signIn: refOf(own) }
    },
    async signOut({ headers }) {
      const claims = keys.get(headers['x-badge'])
      return claims ? app.signIns.end(refOf(claims)).then(() => true) : false
    },
  } satisfies AuthMode<'badge'>)
}
// The mode ends.

modeContract(t, 'badge', {
  addMode: (app) => badgeAuth(app),
  ambient: false,
  challenge: 'Badge',
  present: (answer) => ({ 'x-badge': answer.json().issued }),
  alter: ({ 'x-badge': key = '' }) => ({
    truncated: { 'x-badge': key.slice(0, -1) },
    'sent twice': { 'x-badge': `${key}, ${key}` },
    junk: { 'x-badge': '__proto__' },
  }),
  codes: { altered: 'CREDENTIAL_INVALID', expired: 'CREDENTIAL_EXPIRED' },
  lifetime: 86_400,
  alwaysPromises: true,
  outlivesProcess: false,
})

t.test('the mode above is under 30 lines, types included', async (t) => {
  const source = readFileSync('test/plugins/fourth-mode.test.ts', 'utf8')
  const [, begun = ''] = source.split('// The mode begins')
  const lines = (begun.split('// The mode ends')[0] ?? '').trim().split('\n').slice(1)
  t.ok(lines.length > 20 && lines.length < 30, `${lines.length} lines`)
})

t.test('it stands beside the three others', async (t) => {
  const suite = await buildSuite(t, {
    modes: [tokenMode(), sessionMode(), cookieMode(), (app) => badgeAuth(app)],
    routes(app) {
      app.get('/keys_only', { preHandler: app.guard({ modes: ['badge'] }) }, async (r) => r.identity)
      app.get('/admin', { preHandler: app.guard({ role: 'admin' }) }, async (r) => r.identity)
      app.get('/not_keys', { preHandler: [app.guard(), app.guard({ modes: ['cookie'] })] }, async () => 'in')
    },
  })
  const get = (url: string, headers: Headers) => suite.app.inject({ url, headers })
  const key = { 'x-badge': (await suite.signIn('badge')).json().issued }
  const bobs = { 'x-badge': (await suite.signIn('badge', { account: BOB })).json().issued }
  const cookie = cookieHeader(await suite.signIn('cookie'))
  await suite.signIn('token')
  await suite.signIn('session')

  t.equal((await get('/keys_only', key)).json().mode, 'badge')
  refused(t, await get('/keys_only', cookie), 401, 'NOT_SIGNED_IN')
  refused(t, await get('/not_keys', key), 403, 'MODE_REQUIRED')
  t.equal((await get('/admin', key)).json().username, 'alice')
  refused(t, await get('/admin', bobs), 403, 'ROLE_REQUIRED')
  t.equal((await suite.me({ ...key, ...cookie })).json().mode, 'cookie', 'in the order of registration')
  const answer = await suite.me()
  refused(t, answer, 401, 'NOT_SIGNED_IN')
  t.equal(answer.headers['www-authenticate'], 'Bearer, Badge')

  const modes = async () => (await suite.app.signIns.list(ALICE.id)).map(({ mode }) => mode).sort()
  t.strictSame(await modes(), ['badge', 'cookie', 'session', 'token'])
  t.same((await suite.signOut('badge', { ...key, ...cookie })).json(), { ended: true })
  refused(t, await suite.me(key), 401, 'SIGNED_OUT')
  t.equal((await suite.me(cookie)).statusCode, 200)
  t.strictSame(await modes(), ['cookie', 'session', 'token'])
})
