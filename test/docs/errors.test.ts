import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import * as ours from '../../plugins/lib/errors.js'
import { refusedError } from '../../plugins/lib/identity/refused.js'
import * as routes from '../../routes/http/errors.js'
import { STATUSES } from '../../routes/openapi/failures.js'
import { ROOT } from './blocks.js'

interface Raised {
  readonly code: string
  readonly statusCode: number
  readonly headers?: Readonly<Record<string, string>>
  readonly reason?: string
}

/** One error of each class that a module exports. */
function raise(module: object): Raised[] {
  return Object.values(module).map((error) => Reflect.construct(error, ['a', 'b', 'c']))
}

const raised = raise(ours)
const besides = raise(routes)
/** Those that stand for nobody, whose status is the guard's to choose. */
const nobody = new Set([
  'NOT_SIGNED_IN',
  'TOKEN_EXPIRED',
  'TOKEN_INVALID',
  'CREDENTIAL_EXPIRED',
  'CREDENTIAL_INVALID',
  'SIGNED_OUT',
])

interface Row {
  readonly code: string
  readonly status: number
  readonly section: string
  readonly text: string
}

/** The rows of the tables of docs/errors.md. */
function rowsOfPage(): Row[] {
  const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')
  return page.split('\n## ').flatMap((section) =>
    [...section.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \|(.*)\|$/gm)].map(
      ([, code = '', status, text = '']) => ({
        ...{ code, status: Number(status), text, section: section.split('\n')[0] ?? '' },
      }),
    ),
  )
}

const rows = rowsOfPage()
const pairs = (list: readonly { code: string; status: number }[]) =>
  list.map(({ code, status }) => `${code} ${status}`).sort()

t.test(
  'docs/errors.md has every code of the suite and of the user center, with its status, and no other',
  async (t) => {
    const documented = new Set([...raised, ...besides].map(({ code }) => code))
    const fastifysOwn = Object.entries(STATUSES)
      .filter(([code]) => !documented.has(code))
      .map(([code, status]) => ({ code, status }))
    const all = [...raised, ...besides].map(({ code, statusCode: status }) => ({ code, status }))
    t.same(pairs(rows), pairs([...all, ...fastifysOwn]))
    const center = rows.filter(({ section }) => section.startsWith('The user center')).map(({ code }) => code)
    t.same(center.sort(), [...besides, ...fastifysOwn].map(({ code }) => code).sort())
  },
)

t.test('it says which of them carry a header or a reason', async (t) => {
  for (const { code, section, text } of rows) {
    const error = raised.find((one) => one.code === code)
    t.equal(
      /with `Retry-After`/.test(text),
      error?.headers?.['retry-after'] !== undefined,
      `${code}: Retry-After`,
    )
    t.equal(/its `reason`/.test(text), error?.reason !== undefined, `${code}: reason`)
    t.equal(section.startsWith('Nobody'), nobody.has(code), `${code}: whose status is the guard's`)
  }
  const { statusCode, headers } = Object.assign({ statusCode: 0, headers: {} }, refusedError(403, [], []))
  t.strictSame([statusCode, Object.keys(headers)], [403, ['www-authenticate']])
})

t.test('what the API says of a status is so in the table', async (t) => {
  for (const [code, status] of Object.entries(STATUSES)) {
    const row = rows.find((one) => one.code === code)
    t.equal(nobody.has(code) ? 403 : row?.status, status, code)
  }
})
