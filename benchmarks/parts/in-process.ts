import Fastify, { type FastifyInstance } from 'fastify'
import fastifyIdentity, { type LiveOptions } from 'fastify-identity'
import { MODES, type Mode } from '../lib/contender.js'
import { SECRET } from '../lib/environment.js'
import { type Candidate, type Cost, measureInProcess } from '../lib/in-process.js'
import type { Part } from '../lib/part.js'
import { accountOf, accounts, userInfo, userInfoSchema, usernameOf } from '../lib/profile.js'
import { goal } from '../lib/report.js'

const COST_LIMIT = 1.2
const SPREAD_LIMIT = 1

const text = `
CPU for one request in µs, without a socket and without the kernel. These two cause most of the noise on a small virtual
machine. The candidates answer in turn, 100 requests each, in one process. The columns "over bare" compare with a bare
route that receives the same header. Each row between the two adds one part of Fastify that every guard needs. The rest
is the work of the suite: it finds the credential, looks it up and checks it. Most of the suite's bytes are the closures
with which Fastify calls its \`onRequest\` and \`onSend\` hooks. Garbage collections are rare here, so the median has
none. Their cost grows with the bytes.
`.trim()

/** Routes that do only what every guard makes Fastify do. Each adds one layer to the route before it. */
const LAYERS = ['a preHandler', 'no-store', 'an onSend hook', 'an onRequest hook'] as const

/** The bare route with this many layers. */
async function layeredApp(layers: number): Promise<FastifyInstance> {
  const app = Fastify()
  const has = (layer: (typeof LAYERS)[number]) => LAYERS.indexOf(layer) < layers
  const noStore = has('no-store')
  if (has('an onRequest hook')) app.addHook('onRequest', (_request, _reply, done) => done())
  if (has('an onSend hook')) app.addHook('onSend', (_request, _reply, _payload, done) => done())
  if (has('a preHandler'))
    app.addHook('preHandler', (_request, reply, done) => {
      if (noStore) reply.header('cache-control', 'no-store')
      done()
    })
  app.get('/user_info', { schema: userInfoSchema }, () => userInfo(usernameOf(0), 'cookie'))
  await app.ready()
  return app
}

async function suiteApp(options: { readonly live?: LiveOptions } = {}): Promise<FastifyInstance> {
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

async function headersOf(app: FastifyInstance, mode: Mode, index: number): Promise<Record<string, string>> {
  const response = await app.inject({ method: 'POST', url: `/sign_in/${mode}/${usernameOf(index)}` })
  if (mode === 'token') return { authorization: `Bearer ${response.json().token}` }
  const [cookie] = response.cookies
  return { cookie: `${cookie?.name}=${cookie?.value}` }
}

/** Candidates of each mode: the bare route, its layers, and the suite. */
const OF_EACH_MODE = LAYERS.length + 2

async function candidatesOf(users: number): Promise<Candidate[]> {
  const suite = await suiteApp()
  const bare = await layeredApp(0)
  const layered = await Promise.all(LAYERS.map((_, index) => layeredApp(index + 1)))
  const candidates: Candidate[] = []
  for (const mode of MODES) {
    const headers: Record<string, string>[] = []
    for (let user = 0; user < users; user++) headers.push(await headersOf(suite, mode, user))
    candidates.push(
      { name: `bare, ${mode}`, app: bare, headers },
      ...layered.map((app, index) => ({ name: `and ${LAYERS[index]}, ${mode}`, app, headers })),
      { name: `fastify-identity, ${mode}`, app: suite, headers },
    )
  }
  return candidates
}

function differenceOf(cost: Cost, bare: Cost): Cost {
  return { p10: cost.p10 - bare.p10, median: cost.median - bare.median, bytes: cost.bytes - bare.bytes }
}

/** Compares each candidate with the bare route of its mode. */
function rowsOf(candidates: readonly Candidate[], costs: readonly Cost[]) {
  return candidates.map(({ name }, index) => {
    const cost = costs[index] ?? { p10: Number.NaN, median: Number.NaN, bytes: Number.NaN }
    const bare = costs[index - (index % OF_EACH_MODE)] ?? cost
    return { name, ...cost, over: differenceOf(cost, bare) }
  })
}

/** What `fastify-identity/live` costs a request that does not use it. @returns CPU in µs, p10, without and with it */
export async function costOfLive(users: number, rounds: number): Promise<readonly [number, number]> {
  const apps = [await suiteApp(), await suiteApp({ live: {} })]
  const candidates = await Promise.all(
    apps.map(async (app, index) => {
      const headers: Record<string, string>[] = []
      for (let user = 0; user < users; user++) headers.push(await headersOf(app, 'cookie', user))
      return { name: `live ${index === 0 ? 'not registered' : 'registered'}`, app, headers }
    }),
  )
  const [without, withIt] = await measureInProcess(candidates, rounds)
  await Promise.all(apps.map((app) => app.close()))
  return [without?.p10 ?? Number.NaN, withIt?.p10 ?? Number.NaN]
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
