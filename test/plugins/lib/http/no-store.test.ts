import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Test, test } from 'tap'
import { listen } from '../../../helpers/http.js'
import {
  ALICE,
  buildSuite,
  cookieHeader,
  cookieMode,
  sessionMode,
  TestClock,
} from '../../../helpers/suite.js'

const STORED = 'public, max-age=60'
const FIELDS = {
  'Cache-Control': STORED,
  'CDN-Cache-Control': 'max-age=60',
  'Cloudflare-CDN-Cache-Control': 'max-age=60',
  'Surrogate-Control': 'max-age=60',
  'X-Accel-Expires': '60',
}

type Answer = (request: FastifyRequest, reply: FastifyReply) => unknown

const taken = (reply: FastifyReply) => reply.getHeaders() as Record<string, string>

/** The ways in which an answer says that it may be kept. */
const PUBLIC: Record<string, Answer> = {
  'a header': async (_, reply) => reply.headers(FIELDS).send('kept'),
  'a web Response': async () => new Response('kept', { headers: FIELDS }),
  'a stream': async (_, reply) => reply.headers(FIELDS).send(Readable.from(['kept'])),
  'raw.setHeader': async (_, reply) => {
    for (const [name, value] of Object.entries(FIELDS)) reply.raw.setHeader(name, value)
    return 'kept'
  },
  'raw.writeHead with an object': async (_, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { ...taken(reply), ...FIELDS }).end('kept')
  },
  'raw.writeHead with a reason and an object': async (_, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, 'Fine', { ...taken(reply), ...FIELDS }).end('kept')
  },
  'raw.writeHead with a list': async (_, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, Object.entries({ ...taken(reply), ...FIELDS }).flat()).end('kept')
  },
  'raw.writeHead with pairs': async (_, reply) => {
    reply.hijack()
    const pairs: unknown = Object.entries({ ...taken(reply), ...FIELDS })
    reply.raw.writeHead(200, pairs as string[]).end('kept')
  },
  'raw.writeHead without headers': async (_, reply) => {
    reply.hijack()
    for (const [name, value] of Object.entries({ ...taken(reply), ...FIELDS }))
      reply.raw.setHeader(name, value)
    reply.raw.writeHead(200).end('kept')
  },
  'raw.write': async (_, reply) => {
    reply.hijack()
    for (const [name, value] of Object.entries({ ...taken(reply), ...FIELDS }))
      reply.raw.setHeader(name, value)
    reply.raw.write('ke')
    reply.raw.end('pt')
  },
}

function addRoutes(app: FastifyInstance): void {
  for (const [index, answer] of Object.values(PUBLIC).entries()) {
    app.get(`/in/${index}`, async (request, reply) => {
      await request.signIn('cookie', ALICE)
      return answer(request, reply)
    })
    app.get(`/out/${index}`, answer)
  }
}

async function ask(port: number, path: string, headers = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { headers })
}

const cacheFields = (response: Response) =>
  [...response.headers].filter(([name]) => /control|expires/.test(name))

test('an answer with a cookie of the suite is no-store, however it says that it may be kept', async (t) => {
  const { app } = await buildSuite(t, { modes: [cookieMode()], routes: addRoutes })
  const port = await listen(app)
  for (const [index, name] of Object.keys(PUBLIC).entries()) {
    const response = await ask(port, `/in/${index}`)
    t.equal(await response.text(), 'kept', name)
    t.match(response.headers.get('set-cookie'), /^identity=v1\./, `${name}: cookie`)
    t.strictSame(cacheFields(response), [['cache-control', 'no-store']], `${name}: caching`)
  }
})

test('an answer without one says what the application says', async (t) => {
  const { app } = await buildSuite(t, { modes: [cookieMode()], routes: addRoutes })
  const port = await listen(app)
  for (const [index, name] of Object.keys(PUBLIC).entries()) {
    const response = await ask(port, `/out/${index}`)
    t.equal(response.headers.get('cache-control'), STORED, name)
    t.equal(response.headers.get('surrogate-control'), 'max-age=60', name)
  }
})

function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'static-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'report.txt'), 'for alice only')
  return directory
}

test('a renewed or cleared cookie on a static file, and under an onSend hook of a child scope', async (t) => {
  const root = makeDirectory(t)
  const clock = new TestClock()
  const { app, signIn } = await buildSuite(t, {
    modes: [sessionMode(), cookieMode()],
    clock,
    async routes(app) {
      await app.register(async function files(scope) {
        scope.addHook('onRequest', scope.guard())
        await scope.register(fastifyStatic, { root, prefix: '/files/', maxAge: '1h' })
      })
      await app.register(async function shop(scope) {
        scope.addHook('onSend', async (_, reply) => void reply.header('cache-control', STORED))
        scope.get('/cart', { onRequest: scope.useSession }, async (request) => {
          request.session.cart = ['something']
        })
        scope.get(
          '/leave',
          { onRequest: scope.useSession },
          async (request) => void (await request.session.destroy()),
        )
      })
    },
  })
  const port = await listen(app)
  const headers = cookieHeader(await signIn('cookie'))
  clock.advance(1801)
  for (const [path, sent, sets] of [
    ['/files/report.txt', headers, /^identity=v1\./],
    ['/cart', {}, /^session=v1\./],
    ['/leave', { cookie: cookieHeader(await app.inject('/cart')).cookie }, /^session=;/],
  ] as const) {
    const response = await ask(port, path, sent)
    t.match(response.headers.get('set-cookie'), sets, path)
    t.equal(response.headers.get('cache-control'), 'no-store', path)
  }
})

test('a guarded static folder that leaves Cache-Control to the guard is no-store throughout', async (t) => {
  const root = makeDirectory(t)
  const { app, signIn } = await buildSuite(t, {
    modes: [cookieMode()],
    async routes(app) {
      await app.register(async function files(scope) {
        scope.addHook('onRequest', scope.guard())
        await scope.register(fastifyStatic, { root, prefix: '/files/', cacheControl: false })
      })
    },
  })
  const port = await listen(app)
  const response = await ask(port, '/files/report.txt', cookieHeader(await signIn('cookie')))
  t.equal(await response.text(), 'for alice only')
  t.equal(response.headers.get('cache-control'), 'no-store')
  t.equal((await ask(port, '/files/report.txt')).status, 401)
})
