import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { textOf } from '../blocks.js'
import type { Page } from '../runners.js'
import { answers, bearer, cookiesOf, type Headers, PEOPLE } from '../setups.js'

/** What the page says is there, and its imports left to the blocks. */
const GIVEN = `${PEOPLE}
import type { AccountSource, StoresOptions } from 'fastify-identity'
type Login = { username: string; password: string }
const users: AccountSource = accounts
const secure = false
const SESSION_SECRET = 'the secret of the old sessions, in full length'
const JWT_SECRET = 'the secret of the old tokens'
const AUTH_SECRET = 'a secret for tests, at least 32 bytes long'
const state: StoresOptions = { memory: true }
`

const OLD_STORE = "import { MemoryStore } from '@fastify/session'\nexport const store = new MemoryStore()\n"

const BOB = { username: 'bob', password: 'correct horse' }

const post = (app: FastifyInstance, url: string, payload: object = {}, headers: Headers = {}) =>
  app.inject({ method: 'POST', url, payload, headers })
const me = (app: FastifyInstance, headers: Headers = {}) => app.inject({ url: '/me', headers })

/** Login, who am I, logout: what both applications do for their clients. */
async function walk(t: Test, app: FastifyInstance): Promise<void> {
  t.equal((await me(app)).statusCode, 401)
  t.equal((await post(app, '/login', { ...BOB, password: 'wrong' })).statusCode, 401)
  const headers = cookiesOf(await post(app, '/login', BOB))
  t.same((await me(app, headers)).json(), { username: 'bob' })
  t.equal((await post(app, '/logout', {}, headers)).statusCode, 200)
  t.equal((await me(app, headers)).statusCode, 401)
}

/** The old application, renamed, and the new one beside it: the blocks of this page. */
function besides(before: string, after: string): string {
  const old = textOf('docs/migrating.md', before).replaceAll(/\bapp\b/g, 'old')
  // Both import Fastify; that is one module here.
  const fresh = textOf('docs/migrating.md', after).replace(/^import Fastify .*\n/m, '')
  return `${GIVEN}${OLD_STORE}${old}\nexport { old }\n${fresh}`
}

const page: Page = {
  'session-before': { before: GIVEN + OLD_STORE, check: walk },
  'session-after': { before: GIVEN, check: walk },
  'old-sessions': {
    before: besides('session-before', 'session-after'),
    check: async (t, app, exports) => {
      const old = exports.old as FastifyInstance
      t.teardown(() => old.close())
      const headers = cookiesOf(await post(old, '/login', BOB))
      t.same((await me(app, headers)).json(), { username: 'bob' }, 'nobody signs in again')
      t.equal((await me(app, { cookie: `${headers.cookie}x` })).statusCode, 401, 'an altered one is nobody’s')
      t.equal((await me(app, { cookie: 'sessionId=%E0%A4%A' })).statusCode, 401)
      const { store } = exports.store as { store: Map<string, unknown> }
      for (const [id, session] of [...store]) {
        // As a store outside of the process keeps it.
        const kept = JSON.parse(JSON.stringify(session))
        store.set(id, { ...kept, cookie: { ...kept.cookie, expires: new Date(Date.now() - 1) } })
        t.equal((await me(app, headers)).statusCode, 401, 'one that is over is nobody’s')
        store.set(id, kept)
        t.same((await me(app, headers)).json(), { username: 'bob' })
      }
      const visitor = cookiesOf(await post(app, '/login', BOB, headers))
      t.same((await me(app, visitor)).json(), { username: 'bob' })
      t.equal((await post(old, '/logout', {}, headers)).statusCode, 200)
      t.equal((await me(app, headers)).statusCode, 401, 'an old logout ends it here, too')
    },
  },
  'jwt-before': {
    before: GIVEN,
    check: async (t, app) => {
      answers(t, await me(app), 401)
      const { token } = (await post(app, '/login', BOB)).json()
      t.match((await me(app, bearer(token))).json(), { sub: '2', role: 'user' })
    },
  },
  'jwt-after': {
    before: GIVEN,
    check: async (t, app) => {
      answers(t, await me(app), 401, 'NOT_SIGNED_IN')
      const { token, refreshToken } = (await post(app, '/login', BOB)).json()
      t.match((await me(app, bearer(token))).json(), { username: 'bob', role: 'user', mode: 'token' })
      answers(t, await post(app, '/refresh', {}), 400)
      const renewed = (await post(app, '/refresh', { refreshToken })).json()
      t.equal((await me(app, bearer(renewed.token))).statusCode, 200)
      t.same((await post(app, '/logout', {}, bearer(renewed.token))).json(), { ended: true })
      answers(t, await me(app, bearer(token)), 401, 'SIGNED_OUT')
      answers(t, await post(app, '/refresh', { refreshToken: renewed.refreshToken }), 401, 'REFRESH_REFUSED')
    },
  },
  exchange: {
    before: besides('jwt-before', 'jwt-after'),
    check: async (t, app, exports) => {
      const old = exports.old as FastifyInstance
      t.teardown(() => old.close())
      const { token } = (await post(old, '/login', BOB)).json()
      answers(t, await me(app, bearer(token)), 401, 'TOKEN_INVALID')
      const exchanged = await post(app, '/exchange', {}, bearer(token))
      t.match((await me(app, bearer(exchanged.json().token))).json(), { username: 'bob' })
      t.equal((await post(app, '/exchange', {}, bearer(`${token.slice(0, -4)}AAAA`))).statusCode, 401)
    },
  },
}

export default page
