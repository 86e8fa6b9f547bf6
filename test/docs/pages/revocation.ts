import { post, signIn } from '../../helpers/http.js'
import { startRedis } from '../../helpers/redis-server.js'
import { makeDataDir } from '../../helpers/user-center.js'
import { makePrograms, type Page, runShell, startCenter } from '../runners.js'
import { answers, cookiesOf, type Headers } from '../setups.js'

/** What the page says is there: a table of users, and how their hashes are compared. */
const USERS = `
import fastifyIdentity, { type AccountSource, type ModeName, type StoresOptions } from 'fastify-identity'
import Fastify from 'fastify'
const secrets = ['a secret for tests, at least 32 bytes long']
const state: StoresOptions = { memory: true }
const row = { id: '1', username: 'alice', role: 'admin', hash: 'old', epoch: 0 }
const sql = async (text: string, ...values: unknown[]) => {
  if (text.startsWith('UPDATE')) Object.assign(row, { hash: values[0], epoch: row.epoch + 1 })
  return values.some((value) => value === row.id || value === row.username) ? [{ ...row }] : []
}
const matches = async (hash: string, password: string) => hash === password
export const app = Fastify()
`

const USERS_LOGIN = `
app.post<{ Body: { password: string; mode: ModeName } }>('/login', async (request) => {
  const account = await app.accountSource.verify('alice', request.body.password)
  return account && { issued: await request.signIn(request.body.mode, account) }
})
app.post<{ Body: { epoch?: number } }>('/late', (request) =>
  request.signIn('cookie', { id: '1', username: 'alice', role: 'admin', ...request.body }))
app.get('/me', { preHandler: app.guard() }, async (request) => request.identity.username)
`

const page: Page = {
  'raise-epoch': {
    before: USERS,
    after: USERS_LOGIN,
    async check(t, app) {
      const login = async (password: string, mode: string) =>
        app.inject({ method: 'POST', url: '/login', payload: { password, mode } })
      const [own, other] = [cookiesOf(await login('old', 'cookie')), cookiesOf(await login('old', 'session'))]
      t.equal((await post(app, '/password', { hash: 'new' }, own)).statusCode, 200)
      const me = (headers: Headers) => app.inject({ url: '/me', headers })
      t.equal((await me(own)).statusCode, 200, 'spared')
      answers(t, await me(other), 401, 'SIGNED_OUT')
      answers(t, await post(app, '/late', {}), 500, 'EPOCH_PASSED')
      t.equal((await me(cookiesOf(await login('new', 'session')))).statusCode, 200)
      t.equal((await app.accountSource.find('1'))?.epoch, 1)
    },
  },
  'look-inside': async (t, text) => {
    const redis = await startRedis({ tcp: true })
    t.teardown(() => redis.stop())
    const { app } = await startCenter(t, { REDIS_URL: redis.url })
    const { credential } = await signIn(app, 'cookie')
    const [{ id }] = (await app.inject({ url: '/sign_ins', headers: credential })).json().data
    await post(app, '/logout_cookie', {}, credential)
    const PROGRAMS = makePrograms(t, { 'redis-cli': `exec /usr/bin/redis-cli -p ${redis.port} "$@"` })
    const { stdout, stderr } = await runShell(text, { cwd: makeDataDir(t), env: { PROGRAMS, SIGN_IN: id } })
    const [count, until, ...newest] = stdout.split('\n')
    t.ok(Number(count) >= 2, `${count}: the sign-in, and the list's own entries`)
    t.ok(Number(until) > Date.now(), `${until}: kept until then`)
    t.ok(
      newest.some((line) => line === 'h' || line === 'm'),
      stdout + stderr,
    )
  },
}

export default page
