import Fastify, { type FastifyInstance } from 'fastify'
import fastifyIdentity, { type AccountSource, type LiveOptions } from 'fastify-identity'
import { MODES, type Mode } from '../lib/contender.js'
import { SECRET } from '../lib/environment.js'
import { type Candidate, type Cost, measureInProcess } from '../lib/in-process.js'
import type { Part } from '../lib/part.js'
import { accountOf, userInfo, userInfoSchema, usernameOf } from '../lib/profile.js'
import { goal } from '../lib/report.js'

const COST_LIMIT = 1.2
const SPREAD_LIMIT = 1

const text = `
CPU for one request in µs, without a socket and without the kernel, which are most of the noise on a small virtual machine.
The candidates answer in turn, 100 requests each, in one process. The columns "over bare" compare with a bare route
that is sent the same header. Most of what the suite allocates are the closures with which Fastify calls its \`onRequest\`
and \`onSend\` hooks. Garbage collections are rare here, and the median has none: their cost grows with the bytes.
`.trim()

const accounts: AccountSource = {
  verify: async (username) => accountOf(username),
  find: async (id) => accountOf(id),
}

async function bareApp(): Promise<FastifyInstance> {
  const app = Fastify()
  app.get('/user_info', { schema: userInfoSchema }, () => userInfo(usernameOf(0), 'cookie'))
  await app.ready()
  return app
}

/** The bare route with the minimum of any guard: a preHandler and `Cache-Control: no-store`. */
async function guardlessApp(): Promise<FastifyInstance> {
  const app = Fastify()
  app.addHook('preHandler', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
  app.get('/user_info', { schema: userInfoSchema }, () => userInfo(usernameOf(0), 'cookie'))
  await app.ready()
  return app
}

export async function suiteApp(options: { readonly live?: LiveOptions } = {}): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(fastifyIdentity, { secrets: [SECRET], state: { memory: true }, accounts, ...options })
  app.post<{ Params: { mode: Mode; user: string } }>('/sign_in/:mode/:user', (request) =>
    request.signIn(request.params.mode, accountOf(request.params.user)),
  )
  app.get('/user_info', { schema: userInfoSchema, preHandler: app.guard() }, (request) =>
    userInfo(request.identity.username, request.identity.mode),
  )
  await app.ready()
  return app
}

export async function headersOf(
  app: FastifyInstance,
  mode: Mode,
  index: number,
): Promise<Record<string, string>> {
  const response = await app.inject({ method: 'POST', url: `/sign_in/${mode}/${usernameOf(index)}` })
  if (mode === 'token') return { authorization: `Bearer ${response.json().token}` }
  const [cookie] = response.cookies
  return { cookie: `${cookie?.name}=${cookie?.value}` }
}

async function candidatesOf(users: number): Promise<Candidate[]> {
  const [bare, guardless, suite] = await Promise.all([bareApp(), guardlessApp(), suiteApp()])
  const candidates: Candidate[] = []
  for (const mode of MODES) {
    const headers: Record<string, string>[] = []
    for (let user = 0; user < users; user++) headers.push(await headersOf(suite, mode, user))
    candidates.push(
      { name: `bare, ${mode}`, app: bare, headers },
      { name: `and a preHandler and no-store, ${mode}`, app: guardless, headers },
      { name: `fastify-identity, ${mode}`, app: suite, headers },
    )
  }
  return candidates
}

function differenceOf(cost: Cost, bare: Cost): Cost {
  return { p10: cost.p10 - bare.p10, median: cost.median - bare.median, bytes: cost.bytes - bare.bytes }
}

/** Three candidates for each mode: the cost of the last two is compared with the first. */
function rowsOf(candidates: readonly Candidate[], costs: readonly Cost[]) {
  return candidates.map(({ name }, index) => {
    const cost = costs[index] ?? { p10: Number.NaN, median: Number.NaN, bytes: Number.NaN }
    const bare = costs[index - (index % 3)] ?? cost
    return { name, ...cost, over: differenceOf(cost, bare) }
  })
}

export const inProcess: Part = {
  name: 'in-process',
  async run(setting) {
    const candidates = await candidatesOf(setting.users)
    const rows = rowsOf(candidates, await measureInProcess(candidates, setting.quick ? 100 : 2000))
    const cells = rows.map(({ name, p10, median, over }) => [
      name,
      ...[p10, median, over.p10, over.median].map((value) => value.toFixed(2)),
      over.bytes.toFixed(0),
    ])
    const goals = rows
      .filter(({ name }) => name.startsWith('fastify-identity'))
      .flatMap(({ name, over }) => [
        goal(`${name}: µs over bare, p10`, '≤', COST_LIMIT, over.p10),
        goal(`${name}: its median above its p10, over bare`, '≤', SPREAD_LIMIT, over.median - over.p10),
      ])
    const columns = ['candidate', 'p10', 'median', 'p10 over bare', 'median over bare', 'bytes over bare']
    return [{ title: 'In process', text, tables: [{ columns, rows: cells }], goals }]
  },
}
