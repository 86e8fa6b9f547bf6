import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { STATUSES } from '../../../../routes/openapi/failures.js'
import { startUserCenter } from '../../../helpers/user-center.js'

const source = readFileSync('plugins/lib/client/answers.ts', 'utf8')
/** A tool of development, and what is not in the common form. */
const OTHERS = ['GET /inspector', 'GET /live', 'GET /metrics', 'GET /.well-known/jwks.json']

test('there is a type for the answer of each route', async (t) => {
  const { app } = await startUserCenter(t)
  const { paths } = (await app.inject('/docs/json')).json()
  const routes = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
  )
  // A GET logout answers like its POST.
  const wanted = routes.filter((route) => !OTHERS.includes(route) && !route.startsWith('GET /logout_'))
  const typed = [...source.matchAll(/^ {2}'([A-Z]+ \/\S+)':/gm)].map(([, route]) => route)
  t.same(typed.sort(), wanted.sort())
})

test('each code of the user center has its name', async (t) => {
  const [, union = ''] = /export type ErrorCode =([^=]+)\n\n/.exec(source) ?? []
  const named = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code)
  t.same(
    Object.keys(STATUSES).filter((code) => !named.includes(code)),
    [],
  )
})
