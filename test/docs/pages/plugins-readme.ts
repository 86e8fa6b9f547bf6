import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDataDir } from '../../helpers/user-center.js'
import { ROOT, textOf } from '../blocks.js'
import { atPort, notRun, type Page, portOf, runShell } from '../runners.js'
import { advance, answers, bearer, cookiesOf, enter, SUITE } from '../setups.js'

const page: Page = {
  install: notRun('it is not published: test/package.test.ts packs and installs it', async (t, text) => {
    const { name, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'plugins/package.json'), 'utf8'))
    const [, installed = ''] = /npm install ([\w @/-]+) &&/.exec(text) ?? []
    t.same(installed.split(' ').sort(), [name, ...Object.keys(peerDependencies)].sort())
    const directory = makeDataDir(t)
    const { status, stderr } = await runShell('npm init -y && npm pkg set type=module', { cwd: directory })
    t.equal(status, 0, stderr)
    t.equal(JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).type, 'module')
  }),
  'quick-start': {
    before: "process.env.AUTH_SECRET = 'a secret for tests, at least 32 bytes long'",
    check: async (t, app) => {
      const port = portOf(app)
      const { stdout, stderr, status } = await runShell(
        atPort(textOf('plugins/README.md', 'quick-start-walk'), port),
        {
          cwd: makeDataDir(t),
        },
      )
      t.equal(status, 0, stderr)
      const [nobody, , cookie, , session, token, , left] = JSON.parse(`[${stdout.replaceAll('}{', '},{')}]`)
      t.match([nobody, left], [{ code: 'NOT_SIGNED_IN' }, { code: 'SIGNED_OUT' }])
      const modes = [cookie, session, token].map(({ username, mode }) => `${username} by ${mode}`)
      t.strictSame(modes, ['alice by cookie', 'alice by session', 'alice by token'])
    },
  },
  'quick-start-run': notRun('tsx would have to be installed', async (t, text) => {
    const { stdout } = await runShell(
      text.replace('npx tsx', '# npx tsx').concat('printf %s "$AUTH_SECRET" | wc -c'),
      {
        cwd: makeDataDir(t),
      },
    )
    t.equal(Number(stdout), 64, 'openssl makes a secret that is long enough')
    t.match(text, /\.ts$/m)
  }),
  'quick-start-walk': async (t) => t.pass('the block of main.ts runs it'),
  guards: {
    before: SUITE,
    check: async (t, app, exports) => {
      const get = async (url: string, headers = {}) => app.inject({ url, headers })
      const [alice, bob] = [await enter(app, 'alice', 'token'), await enter(app, 'bob', 'session')]
      t.equal((await get('/admin', alice)).json().username, 'alice')
      answers(t, await get('/admin', bob), 403, 'ROLE_REQUIRED')
      t.equal((await get('/basket', bob)).json().mode, 'session')
      answers(t, await get('/basket', alice), 401, 'NOT_SIGNED_IN')
      t.strictSame([(await get('/home')).body, (await get('/home', bob)).body], ['you', 'bob'])
      const upload = (headers = {}) =>
        app.inject({
          method: 'POST',
          url: '/upload',
          headers: { 'content-type': 'application/json', ...headers },
          payload: '{',
        })
      answers(t, await upload(), 401, 'NOT_SIGNED_IN')
      answers(t, await upload(bob), 400)
      const remove = () => app.inject({ method: 'DELETE', url: '/keys', headers: bob })
      answers(t, await remove(), 403, 'FACTOR_REQUIRED')
      const leave = () => app.inject({ method: 'DELETE', url: '/me', headers: bob })
      answers(t, await leave(), 200)
      advance(exports, 601)
      answers(t, await leave(), 403, 'SIGN_IN_TOO_OLD')
    },
  },
  refresh: {
    before: SUITE,
    check: async (t, app) => {
      const { issued } = (await app.inject({ method: 'POST', url: '/as/bob/token' })).json()
      const cookie = await enter(app, 'bob', 'cookie')
      const renew = (payload: object) => app.inject({ method: 'POST', url: '/refresh', payload })
      const { token } = (await renew({ refreshToken: issued.refreshToken })).json()
      answers(t, await renew({ refreshToken: 'junk' }), 401, 'REFRESH_REFUSED')
      const list = await app.inject({ url: '/sign_ins', headers: bearer(token) })
      t.same(
        list
          .json()
          .map(({ mode }: { mode: string }) => mode)
          .sort(),
        ['cookie', 'token'],
      )
      const end = await app.inject({ method: 'DELETE', url: '/sign_ins', headers: bearer(token) })
      t.same(end.json(), { ended: 1 })
      answers(t, await app.inject({ url: '/sign_ins', headers: cookie }), 401, 'SIGNED_OUT')
    },
  },
  session: {
    before: SUITE,
    check: async (t, app) => {
      const put = (headers = {}) => app.inject({ method: 'POST', url: '/cart', headers })
      const visitor = await put()
      t.same(visitor.json(), ['tea'])
      const signedIn = await enter(app, 'bob', 'session', cookiesOf(visitor))
      t.same((await put(signedIn)).json(), ['tea', 'tea'], 'it is carried over at login')
      t.same((await put()).json(), ['tea'], 'and nobody else’s')
    },
  },
}

export default page
