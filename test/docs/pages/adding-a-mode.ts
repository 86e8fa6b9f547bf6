import type { FastifyInstance } from 'fastify'
import type { ModeName } from '../../../plugins/lib/contract.js'
import { modeContract } from '../../mode-contract.js'
import { textOf } from '../blocks.js'
import type { Page } from '../runners.js'
import { ACCOUNTS, answers, enter, LOGIN } from '../setups.js'

/** The block declares it, for whoever imports the package; it does so for no test. */
const NAME = 'screen' as string as ModeName

const TABLE = `
export const rows = new Map<string, ScreenRow>()
const table: ScreenTable = {
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
const MODE = textOf('docs/adding-a-mode.md', 'screen-auth')
  .replaceAll('screenAuth', 'screenMode')
  .replace('export default fp(', 'const screenAuth = fp(')
  .replace(/, FastifyRequest \}/, ' }')

const page: Page = {
  'screen-auth': {
    after: "import Fastify from 'fastify'\nexport const app = Fastify()",
    check: async (t, _app, exports) => {
      const plugin = exports.default as Plugin
      modeContract(t, NAME, {
        addMode: async (app) => void (await app.register(plugin, { table: makeTable() })),
        ambient: false,
        challenge: 'Cookie',
        present: (answer) => ({ 'x-screen': answer.json().issued.code }),
        alter: ({ 'x-screen': code = '' }) => ({
          truncated: { 'x-screen': code.slice(0, -1) },
          'sent twice': { 'x-screen': `${code}, ${code}` },
          junk: { 'x-screen': '__proto__' },
        }),
        codes: { altered: 'CREDENTIAL_INVALID', expired: 'CREDENTIAL_EXPIRED' },
        lifetime: 30 * 24 * 3600,
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
      const make = (headers: object) =>
        app.inject({ method: 'POST', url: '/screens', headers: { ...headers } })
      const browser = await enter(app, 'bob', 'session')
      const made = await make(browser)
      answers(t, made, 200)
      const screen = { 'x-screen': made.json().code }
      t.equal((await get('/board', screen)).body, 'bob')
      answers(t, await get('/board', browser), 401, 'NOT_SIGNED_IN')
      answers(t, await make(screen), 401, 'NOT_SIGNED_IN')
      answers(t, await make({ ...browser, 'sec-fetch-site': 'cross-site' }), 403, 'CROSS_SITE')
      const [id, ...others] = (await get('/screens', browser)).json()
      t.equal(others.length, 0)
      const end = (headers: object) =>
        app.inject({ method: 'DELETE', url: `/screens/${id}`, headers: { ...headers } })
      answers(t, await end(await enter(app, 'alice', 'cookie')), 404)
      t.equal((await get('/board', screen)).body, 'bob')
      t.same((await end(browser)).json(), { ended: true })
      answers(t, await get('/board', screen), 401, 'SIGNED_OUT')
    },
  },
}

export default page
