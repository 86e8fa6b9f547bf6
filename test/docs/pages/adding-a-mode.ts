import type { FastifyInstance } from 'fastify'
import type { ModeName } from '../../../plugins/lib/contract.js'
import { modeContract } from '../../mode-contract.js'
import { textOf } from '../blocks.js'
import type { Page } from '../runners.js'
import { ACCOUNTS, answers, enter, LOGIN } from '../setups.js'

/** The block declares it, for whoever imports the package; it does so for no test. */
const NAME = 'api-key' as string as ModeName

const TABLE = `
export const rows = new Map<string, KeyRow>()
const table: KeyTable = {
  find: async (hash) => rows.get(hash),
  insert: async (hash, row) => void rows.set(hash, row),
}`

type Plugin = (app: FastifyInstance, options: { table: object }) => Promise<void>

function makeTable() {
  const rows = new Map<string, object>()
  return {
    find: async (hash: string) => rows.get(hash),
    insert: async (hash: string, row: object) => rows.set(hash, row),
  }
}

/** The page's file as a module of its own would be imported: under the name that the page registers. */
const MODE = textOf('docs/adding-a-mode.md', 'api-key-auth')
  .replaceAll('apiKeyAuth', 'apiKeyMode')
  .replace('export default fp(', 'const apiKeyAuth = fp(')
  .replace(/, FastifyRequest \}/, ' }')

const page: Page = {
  'api-key-auth': {
    after: "import Fastify from 'fastify'\nexport const app = Fastify()",
    check: async (t, _app, exports) => {
      const plugin = exports.default as Plugin
      modeContract(t, NAME, {
        addMode: async (app) => void (await app.register(plugin, { table: makeTable() })),
        ambient: false,
        challenge: 'Cookie',
        present: (answer) => ({ 'x-api-key': answer.json().issued.key }),
        alter: ({ 'x-api-key': key = '' }) => ({
          truncated: { 'x-api-key': key.slice(0, -1) },
          'sent twice': { 'x-api-key': `${key}, ${key}` },
          junk: { 'x-api-key': '__proto__' },
        }),
        codes: { altered: 'CREDENTIAL_INVALID', expired: 'CREDENTIAL_EXPIRED' },
        lifetime: 90 * 24 * 3600,
        alwaysPromises: true,
        outlivesProcess: false,
      })
    },
  },
  register: {
    before: `${MODE}${ACCOUNTS}${TABLE}\nexport const app = Fastify()`,
    after: LOGIN,
    check: async (t, app) => {
      const get = (url: string, headers: object) => app.inject({ url, headers: { ...headers } })
      const make = (headers: object) => app.inject({ method: 'POST', url: '/keys', headers: { ...headers } })
      const browser = await enter(app, 'bob', 'session')
      const made = await make(browser)
      answers(t, made, 200)
      const key = { 'x-api-key': made.json().key }
      t.equal((await get('/export', key)).body, 'bob')
      answers(t, await get('/export', browser), 401, 'NOT_SIGNED_IN')
      answers(t, await make(key), 401, 'NOT_SIGNED_IN')
      answers(t, await make({ ...browser, 'sec-fetch-site': 'cross-site' }), 403, 'CROSS_SITE')
      const [id, ...others] = (await get('/keys', browser)).json()
      t.equal(others.length, 0)
      const end = (headers: object) =>
        app.inject({ method: 'DELETE', url: `/keys/${id}`, headers: { ...headers } })
      answers(t, await end(await enter(app, 'alice', 'cookie')), 404)
      t.equal((await get('/export', key)).body, 'bob')
      t.same((await end(browser)).json(), { ended: true })
      answers(t, await get('/export', key), 401, 'SIGNED_OUT')
    },
  },
}

export default page
