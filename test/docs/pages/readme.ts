import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startRedis } from '../../helpers/redis-server.js'
import { makeDataDir } from '../../helpers/user-center.js'
import { ROOT } from '../blocks.js'
import { atPort, isScripted, notRun, type Page, runShell, startCenter } from '../runners.js'
import { ACCOUNTS, answers, cookiesOf } from '../setups.js'

/** The walk through the modes, with curl, and its answers in their order. */
async function walk(t: Test, text: string, env: Record<string, string> = {}): Promise<unknown> {
  const { port } = await startCenter(t, env)
  const { stdout, stderr, status } = await runShell(atPort(text, port), { cwd: makeDataDir(t) })
  t.equal(status, 0, stderr)
  // The answers stand one behind the other, as curl leaves them.
  return JSON.parse(`[${stdout.replaceAll('}{', '},{')}]`)
}

const WALKED = [
  { code: 200, auth_type: 'cookie' },
  { code: 200, auth_type: 'cookie', data: { username: 'user1', role: 'user' } },
  { code: 200, auth_type: 'cookie' },
  { code: 403, error: 'SIGNED_OUT' },

  { code: 200, auth_type: 'session' },
  { code: 200, auth_type: 'session', data: { username: 'user1', role: 'user' } },
  { code: 200, data: [{ auth_type: 'session', current: true }] },
  { code: 200, data: { ended: 0 } },
  { code: 200, auth_type: 'session' },

  { code: 200, auth_type: 'token', data: { username: 'user1', role: 'user' } },
  { code: 200, auth_type: 'token', data: { token_type: 'Bearer' } },
  { code: 200, auth_type: 'token' },
  { code: 403, error: 'SIGNED_OUT' },
]

const page: Page = {
  start: notRun('test/start.test.ts starts it by this very command', isScripted),
  test: notRun('it would run itself', isScripted),
  walk: async (t, text) => {
    t.match(await walk(t, text), WALKED, 'on the embedded stores')
    const redis = await startRedis({ tcp: true })
    t.teardown(() => redis.stop())
    t.match(await walk(t, text, { REDIS_URL: redis.url }), WALKED, 'on Redis')
  },
  use: {
    before: `${ACCOUNTS}\nexport const app = Fastify()`,
    check: async (t, app) => {
      const login = (password: string) =>
        app.inject({ method: 'POST', url: '/login', payload: { username: 'bob', password } })
      answers(t, await login('wrong'), 401, 'CREDENTIALS_REFUSED')
      const headers = cookiesOf(await login('correct horse'))
      t.equal((await app.inject({ url: '/me', headers })).json().username, 'bob')
      t.same((await app.inject({ method: 'POST', url: '/logout', headers })).json(), { ended: true })
      answers(t, await app.inject({ url: '/me', headers }), 401, 'SIGNED_OUT')
      for (let attempt = 0; attempt < 10; attempt++) answers(t, await login('wrong'), 401)
      answers(t, await login('correct horse'), 429, 'THROTTLED')
    },
  },
  examples: notRun('the tests in test/examples/ run each of them', async (t, text) => {
    await isScripted(t, text)
    for (const [, name = ''] of text.matchAll(/example:(\w+)/g))
      t.ok(existsSync(join(ROOT, `examples/${name}.ts`)), name)
  }),
}

export default page
