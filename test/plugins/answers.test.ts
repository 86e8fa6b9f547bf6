// In a process of its own: it notices every unhandled error.

import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import fastifyIdentity from '../../plugins/index.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { listen } from '../helpers/http.js'
import { type Preparation, WORKS, type Work } from '../helpers/pending-work.js'
import { startRedis } from '../helpers/redis-server.js'
import {
  accountSource,
  buildSuite,
  cookieHeader,
  cookieMode,
  SECRET,
  sessionMode,
  TestClock,
} from '../helpers/suite.js'
import { takeHandlerTimeouts, ticks, WAYS, type Way } from '../helpers/ways-of-answering.js'

/** What a client and the log see of one request. */
interface Row {
  readonly status: number | string
  readonly body: string
  readonly headers: IncomingHttpHeaders
  readonly cookies: readonly string[]
  readonly caching: string | undefined
  readonly seen: readonly string[]
  readonly log: readonly string[]
}

/** Of the machinery, not of the answer. */
const OTHER_HEADERS = ['date', 'connection', 'keep-alive', 'set-cookie', 'cache-control']

const agent = new Agent({ keepAlive: true })

interface Received {
  readonly status: number | string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** One request over a socket. A connection that breaks is an answer too. */
function ask(port: number, method: string, path: string, cookie = ''): Promise<Received> {
  const headers = cookie ? { cookie } : {}
  return new Promise((resolve) => {
    const asking = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent }, (response) => {
      let body = ''
      const { statusCode = 0, headers } = response
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: statusCode, headers, body }))
      response.on('error', () => resolve({ status: `${statusCode}, then broken`, headers, body }))
    })
    asking.on('error', () => resolve({ status: 'broken', headers: {}, body: '' }))
    asking.end()
  })
}

/** Lines of warnings and errors, by what they are about. */
class Log {
  lines: string[] = []

  readonly logger = {
    level: 'warn',
    stream: {
      write: (line: string) => {
        const { msg, err } = JSON.parse(line)
        this.lines.push(String(err?.code ?? err?.message ?? msg))
      },
    },
  }
}

const pathOf = (...names: string[]) => names.map((name) => `/${name.replace(/\W+/g, '-')}`).join('')

/** Adds the way as a route: with work before it, in the suite. */
function addWay(app: FastifyInstance, path: string, way: Way, work: Work, handled: Handled): void {
  const { options = {}, method = 'GET', answer } = way
  const before = work.before === 'guard' ? app.guard() : work.before && app.useSession
  app.route({
    method,
    ...options,
    url: path,
    onRequest: [
      ...(before ? [before] : []),
      async function describe(request, reply) {
        await work.begin?.(request, reply)
        reply.header('cache-control', 'public, max-age=60')
      },
    ],
    handler(request, reply) {
      const answered = answer(request, reply, handled.seen)
      handled.done = Promise.resolve(answered).then(
        () => {},
        () => {},
      )
      return answered
    },
  })
}

interface Handled {
  seen: string[]
  done: Promise<void>
}

async function observe(
  port: number,
  way: Way,
  path: string,
  log: Log,
  handled: Handled,
  cookie = '',
): Promise<Row> {
  log.lines = []
  handled.seen = []
  handled.done = Promise.resolve()
  const { status, headers, body } = await ask(port, way.method ?? 'GET', path, cookie)
  await handled.done
  await ticks(3)
  const others = body.includes(path) ? [...OTHER_HEADERS, 'content-length'] : OTHER_HEADERS
  const kept = Object.entries(headers).filter(([name]) => !others.includes(name))
  return {
    status,
    body: body.replaceAll(path, '/path'),
    headers: Object.fromEntries(kept),
    cookies: headers['set-cookie'] ?? [],
    caching: headers['cache-control'],
    seen: handled.seen,
    log: log.lines,
  }
}

/** What bare Fastify makes of every way. */
async function controls(t: Test): Promise<Map<string, Row>> {
  const log = new Log()
  const app = Fastify({ logger: log.logger, forceCloseConnections: true })
  t.teardown(() => app.close())
  const handled: Handled = { seen: [], done: Promise.resolve() }
  for (const [name, way] of Object.entries(WAYS)) addWay(app, pathOf('bare', name), way, {}, handled)
  const port = await listen(app)
  const rows = new Map<string, Row>()
  for (const [name, way] of Object.entries(WAYS)) {
    if (way.like) continue
    rows.set(name, await observe(port, way, pathOf('bare', name), log, handled))
  }
  return rows
}

/** A store that can be slow, and can fail. */
function workStore(state: { work: Work }) {
  return new Proxy(createMemoryStore(), {
    get(target, name) {
      const operation: unknown = Reflect.get(target, name)
      if (typeof operation !== 'function') return operation
      if (name === 'isLive' || name === 'revision') return operation.bind(target)
      return async (...args: unknown[]) => {
        if (state.work.slow) await ticks(20)
        if (state.work.fails?.includes(String(name))) throw new StoreUnavailable()
        return Reflect.apply(operation, target, args)
      }
    },
  })
}

async function start(t: Test) {
  const log = new Log()
  const clock = new TestClock()
  const state: { work: Work } = { work: {} }
  const handled: Handled = { seen: [], done: Promise.resolve() }
  const suite = await buildSuite(t, {
    modes: [sessionMode({ absoluteTtl: 2_592_000 }), cookieMode()],
    store: workStore(state),
    clock,
    server: { logger: log.logger },
    routes(app) {
      app.post('/cart', { onRequest: app.useSession }, async (request) => {
        request.session.cart = ['something']
      })
      for (const [workName, work] of Object.entries(WORKS)) {
        for (const [wayName, way] of Object.entries(WAYS))
          addWay(app, pathOf(workName, wayName), way, work, handled)
      }
    },
  })
  const preparation: Preparation = {
    async signedIn(mode, passes = 0) {
      const { cookie = '' } = cookieHeader(await suite.signIn(mode, { remember: mode === 'session' }))
      clock.advance(passes)
      return cookie
    },
    visitor: async () => cookieHeader(await suite.post('/cart')).cookie ?? '',
  }
  return { ...suite, log, state, handled, preparation, port: await listen(suite.app) }
}

function watchProcess(t: Test): string[] {
  const unhandled: string[] = []
  const note = (error: unknown) => void unhandled.push(String(error))
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, note)
    t.teardown(() => process.off(event, note))
  }
  return unhandled
}

/** What the answer must be, by what bare Fastify makes of the way. */
function expectRow(way: Way, work: Work, control: Row): Expected {
  const sets = way.raw ? work.setsRaw : work.sets
  const log = [...control.log, ...(way.logs ?? [])]
  if (way.raw && work.forgotten) log.push('WARNED')
  return {
    ...control,
    log,
    sets: way.headless ? undefined : sets,
    caching: sets ? 'no-store' : control.caching,
  }
}

function judge(t: Test, name: string, { cookies, ...row }: Row, expected: Expected): void {
  const { sets, cookies: own, ...answer } = expected
  const log = row.log
    .map((line) => (line.includes('never saved') ? 'WARNED' : line))
    // A renewal that fails is no failure of the answer.
    .filter((line) => line !== 'STORE_UNAVAILABLE')
  t.strictSame({ ...row, log }, answer, name)
  const ours = cookies.filter((line) => !own.includes(line))
  t.equal(ours.length, sets ? 1 : 0, `${name}: cookies ${ours}`)
  if (sets) t.match(ours[0] ?? '', sets, `${name}: cookie`)
}

/** Saving failed: the answer is the error's, and nothing else of the first one is left. */
function judgeFailed(t: Test, name: string, row: Row, way: Way, { cookies: own, seen }: Row): void {
  if (!way.pageless) t.equal(row.status, 503, `${name}: status`)
  if (!way.pageless && way.method !== 'HEAD') t.match(row.body, '"code":"STORE_UNAVAILABLE"', `${name}: body`)
  t.strictSame(
    row.cookies.filter((line) => !own.includes(line)),
    [],
    `${name}: no cookie`,
  )
  t.strictSame(row.seen, seen, `${name}: what ran`)
  t.equal(row.headers['x-late'], undefined)
}

interface Expected extends Row {
  readonly sets: RegExp | undefined
}

test('every way of answering, with every kind of work before the answer', async (t) => {
  const unhandled = watchProcess(t)
  takeHandlerTimeouts()
  const bare = await controls(t)
  const { log, state, handled, preparation, port } = await start(t)
  for (const [workName, work] of Object.entries(WORKS)) {
    for (const [wayName, way] of Object.entries(WAYS)) {
      // What bare Fastify spoils is mended only where it must wait for the suite.
      if (way.like && work.done) continue
      const name = `${workName}, ${wayName}`
      state.work = {}
      const cookie = await work.prepare?.(preparation)
      state.work = work
      const row = await observe(port, way, pathOf(workName, wayName), log, handled, cookie)
      const control = bare.get(way.like ?? wayName)
      if (!control) throw new Error('no control')
      if (work.fails?.includes('createSession') && !way.raw) judgeFailed(t, name, row, way, control)
      else judge(t, name, row, expectRow(way, work, control))
      t.strictSame(unhandled.splice(0), [], `${name}: nothing is unhandled`)
    }
  }
})

test('work before an answer takes no longer than the command timeout, whatever handlerTimeout says', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const app = Fastify()
  await app.register(fastifyIdentity, {
    secrets: [SECRET],
    accounts: accountSource,
    state: { redisUrl: server.url, commandTimeout: 100 },
    secure: false,
  })
  app.get('/', { onRequest: app.useSession, handlerTimeout: 10 }, async (request, reply) => {
    request.session.cart = ['first']
    server.pause()
    reply.send({ first: 1 })
  })
  t.teardown(() => app.close())
  t.teardown(() => server.resume())
  const { statusCode, body, cookies } = await app.inject('/')
  t.equal(statusCode, 503)
  t.match(body, '"code":"STORE_UNAVAILABLE"')
  t.strictSame(cookies, [])
})
