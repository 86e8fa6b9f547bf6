import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { signIn } from '../../helpers/http.js'
import { makeDataDir } from '../../helpers/user-center.js'
import { type Page, runShell, startCenter } from '../runners.js'
import { ACCOUNTS, answers, bearer } from '../setups.js'

const STORE = `${ACCOUNTS}
const alice = { id: '1', username: 'alice', role: 'admin' }
const secretOf = { old: 'the old secret of at least 32 bytes', new: 'the new secret of at least 32 bytes' }
const first = Fastify()
await first.register(fastifyIdentity, { secrets, state, accounts })
await first.ready()
const store = first.stateStore
`

const page: Page = {
  'three-deploys': {
    before: STORE,
    after: 'export { copies }\nexport const app = first',
    check: async (t, _app, exports) => {
      const copies = exports.copies as FastifyInstance[]
      t.teardown(() => Promise.all(copies.map((copy) => copy.close())))
      for (const [issued, issuer] of copies.entries()) {
        const { token } = (await issuer.inject({ method: 'POST', url: '/login' })).json()
        for (const [asked, copy] of copies.entries()) {
          const answer = await copy.inject({ url: '/me', headers: bearer(token) })
          if (Math.abs(issued - asked) < 2) t.equal(answer.body, 'alice', `of ${issued} at ${asked}`)
          if (Math.abs(issued - asked) === 3) answers(t, answer, 401, 'TOKEN_INVALID')
        }
      }
    },
  },
  'token-key': async (t, text) => {
    const cwd = makeDataDir(t)
    const { stdout, stderr, status } = await runShell(`${text}\necho "$TOKEN_PRIVATE_KEY"`, { cwd })
    t.equal(status, 0, stderr)
    const TOKEN_PRIVATE_KEY = join(cwd, stdout.trim())
    const { app } = await startCenter(t, { TOKEN_PRIVATE_KEY })
    t.match((await app.inject('/.well-known/jwks.json')).json(), { keys: [{ alg: 'EdDSA', crv: 'Ed25519' }] })
  },
  'public-half': async (t, text) => {
    const cwd = makeDataDir(t)
    const { stdout, stderr, status } = await runShell(`${text}\necho "$TOKEN_PRIVATE_KEY"`, { cwd })
    t.equal(status, 0, stderr)
    const keys = stdout
      .trim()
      .split(',')
      .map((file) => `${cwd}/${file}`)
    const before = await startCenter(t, { TOKEN_PRIVATE_KEY: `${cwd}/old.pem,${keys[0]}` })
    const { credential } = await signIn(before.app, 'token')
    await before.app.close()
    const after = await startCenter(t, { ...before.env, TOKEN_PRIVATE_KEY: keys.join(',') })
    const me = await after.app.inject({ url: '/user_info', headers: credential })
    t.equal(me.statusCode, 200, 'a token of the old key is good while its public half is there')
    t.equal((await after.app.inject('/.well-known/jwks.json')).json().keys.length, 2)
    const fresh = await signIn(after.app, 'token')
    t.equal((await after.app.inject({ url: '/user_info', headers: fresh.credential })).statusCode, 200)
  },
}

export default page
