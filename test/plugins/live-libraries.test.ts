import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { type ClientHttp2Session, connect } from 'node:http2'
import { Readable } from 'node:stream'
import { fastifySSE } from '@fastify/sse'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import mercurius from 'mercurius'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import fastifyIdentity from '../../plugins/index.js'
import { signedIn } from '../../plugins/lib/testing.js'
import { eventually } from '../helpers/followed.js'
import { listen } from '../helpers/http.js'
import { startLive } from '../helpers/live.js'
import { ALICE, BOB, type Headers, SECRET } from '../helpers/suite.js'

const BYE = 'event: end\ndata: bye\n\n'

interface Graph {
  readonly live: Awaited<ReturnType<typeof startLive>>
  /** Subscriptions whose source goes on. */
  readonly running: Set<string>
  readonly written: string[]
}

/** mercurius declares nothing of the context that the application has made. */
function usernameIn(context: object): string {
  return 'identity' in context ? String(Reflect.get(Object(context.identity), 'username')) : 'nobody'
}

async function startGraph(t: Test): Promise<Graph> {
  const running = new Set<string>()
  const written: string[] = []
  async function* namesFor(username: string, names: AsyncIterable<unknown>) {
    running.add(username)
    try {
      yield* names
    } finally {
      running.delete(username)
    }
  }
  const live = await startLive(t, {
    routes: (app) =>
      app.register(mercurius, {
        schema: `type Query { name: String } type Subscription { name: String }
          type Mutation { write(text: String!): String }`,
        resolvers: {
          Mutation: { write: async (_, { text }) => String(written.push(text)) },
          Subscription: {
            name: {
              subscribe: async (_, __, context) =>
                namesFor(usernameIn(context), await context.pubsub.subscribe('names')) as never,
            },
          },
        },
        additionalRouteOptions: { preValidation: app.guard() },
        subscription: {
          fullWsTransport: true,
          context: (socket, request) => {
            app.live.bindSocket(request, socket)
            return { identity: request.identity }
          },
        },
      }),
  })
  return { live, running, written }
}

/** The names of messages in the protocols of GraphQL over WebSockets. */
const PROTOCOLS = {
  'graphql-transport-ws': { start: 'subscribe', data: 'next' },
  'graphql-ws': { start: 'start', data: 'data' },
} as const

async function subscribe(port: number, protocol: keyof typeof PROTOCOLS, headers: Headers) {
  const { start, data } = PROTOCOLS[protocol]
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, protocol, { headers })
  const closed = once(socket, 'close').then(([code]) => code)
  const names: string[] = []
  socket.on('message', (text) => {
    const { type, payload } = JSON.parse(String(text))
    if (type === data && payload.data.name) names.push(payload.data.name)
  })
  await once(socket, 'open')
  const send = (message: object) => socket.send(JSON.stringify(message))
  send({ type: 'connection_init', payload: {} })
  send({ id: '1', type: start, payload: { query: 'subscription { name }' } })
  const write = (text: string) => {
    const query = 'mutation ($text: String!) { write(text: $text) }'
    send({ id: text, type: start, payload: { query, variables: { text } } })
  }
  return { closed, names, write }
}

for (const protocol of Object.keys(PROTOCOLS) as (keyof typeof PROTOCOLS)[]) {
  test(`mercurius, ${protocol}: a subscription ends with its sign-in, and nothing more is executed for it`, async (t) => {
    const { live, running, written } = await startGraph(t)
    const { app, port, enter } = live
    const alice = await subscribe(port, protocol, await enter('token'))
    const bob = await subscribe(port, protocol, await enter('cookie', { account: BOB }))
    await eventually(() => running.size === 2)
    const publish = (name: string) => app.graphql.pubsub.publish({ topic: 'names', payload: { name } })
    publish('one')
    await eventually(() => alice.names.length === 1 && bob.names.length === 1)
    alice.write('in time')
    await eventually(() => written.length === 1)

    await app.signIns.endAll(ALICE.id)
    alice.write('too late')
    t.equal(await alice.closed, 4401)
    publish('two')
    await eventually(() => bob.names.length === 2)
    t.same(alice.names, ['one'])
    t.same(written, ['in time'])
    publish('three')
    await eventually(() => !running.has('alice'))
    t.ok(running.has('bob'), 'somebody else’s goes on')
    t.equal(app.live.open, 1)
  })
}

test('mercurius: a dead credential subscribes to nothing', async (t) => {
  const { live, running } = await startGraph(t)
  const headers = await live.enter()
  await live.app.signIns.endAll(ALICE.id)
  const socket = new WebSocket(`ws://127.0.0.1:${live.port}/graphql`, 'graphql-transport-ws', { headers })
  const [, response] = await once(socket, 'unexpected-response')
  t.equal(response.statusCode, 401)
  t.equal(running.size, 0)
})

/** Somebody else's event, again and again. */
async function* ticks(running: Set<FastifyRequest>, request: FastifyRequest) {
  running.add(request)
  try {
    for (;;) {
      yield { data: 'tick' }
      await new Promise((resolve) => setImmediate(resolve))
    }
  } finally {
    running.delete(request)
  }
}

/** Streams in the ways of @fastify/sse, and by hand. */
async function addStreams(app: FastifyInstance, running: Set<FastifyRequest>): Promise<void> {
  await app.register(fp(fastifySSE))
  const ways: Record<string, (request: FastifyRequest, reply: FastifyReply) => Promise<void>> = {
    async iterable(request, reply) {
      await reply.sse.send(ticks(running, request))
    },
    async readable(request, reply) {
      await reply.sse.send(Readable.from(ticks(running, request)))
    },
    async kept(_, reply) {
      reply.sse.keepAlive()
      await reply.sse.send({ data: 'tick' })
    },
  }
  for (const [way, send] of Object.entries(ways)) {
    app.get(`/${way}`, { sse: 'only', preHandler: app.guard() }, async (request, reply) => {
      app.live.bindStream(request, reply)
      await send(request, reply)
    })
  }
  app.get('/by-hand', { preHandler: app.guard() }, (request, reply) => {
    app.live.bindStream(request, reply)
    request.endSignal.addEventListener('abort', () => reply.raw.write(BYE))
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
    reply.raw.write('data: tick\n\n')
  })
}

interface Stream {
  text: string
  isOver: boolean
}

async function follow(t: Test, port: number, path: string, headers: Headers) {
  const request = get(`http://127.0.0.1:${port}${path}`, { headers, agent: false })
  t.teardown(() => request.destroy())
  const [response]: IncomingMessage[] = await once(request, 'response')
  const stream: Stream = { text: '', isOver: false }
  response?.on('data', (chunk) => {
    stream.text += chunk
  })
  response?.on('end', () => {
    stream.isOver = true
  })
  return { status: response?.statusCode, stream }
}

for (const way of ['iterable', 'readable', 'kept', 'by-hand']) {
  test(`server-sent events, ${way}: a stream ends with its sign-in, and its source is closed`, async (t) => {
    const running = new Set<FastifyRequest>()
    const { app, port, enter } = await startLive(t, { routes: (app) => addStreams(app, running) })
    const [headers, others] = [await enter('token'), await enter('session', { account: BOB })]
    const [{ stream }, other] = [
      await follow(t, port, `/${way}`, headers),
      await follow(t, port, `/${way}`, others),
    ]
    await eventually(() => stream.text.includes('tick') && other.stream.text.includes('tick'))
    await app.signIns.endAll(ALICE.id)
    await eventually(() => stream.isOver && app.live.open === 1)
    if (way === 'by-hand') t.ok(stream.text.endsWith(BYE), 'its listener has written a last event')
    const isAlice = ({ identity }: FastifyRequest) => identity.accountId === ALICE.id
    await eventually(() => ![...running].some(isAlice))
    t.notOk(other.stream.isOver, 'somebody else’s goes on')
    t.equal((await follow(t, port, `/${way}`, headers)).status, 401, 'it cannot come back')
  })
}

test('HTTP/2: a stream ends with its sign-in, and leaves the others of its connection alone', async (t) => {
  const app = Fastify({ http2: true, forceCloseConnections: true })
  t.teardown(() => app.close())
  const accounts = { verify: async () => null, find: async () => null }
  const state = { memory: true } as const
  await app.register(fastifyIdentity, { secrets: [SECRET], state, accounts, secure: false, live: {} })
  const streams = app as unknown as FastifyInstance
  await addStreams(streams, new Set())
  await app.ready()
  const port = await listen(streams)
  const client = connect(`http://127.0.0.1:${port}`)
  t.teardown(() => client.destroy())
  const [mine, others] = [await signedIn(streams, ALICE, 'token'), await signedIn(streams, BOB, 'token')]
  const [one, two, other] = [
    open(client, '/by-hand', mine),
    open(client, '/by-hand', mine),
    open(client, '/by-hand', others),
  ]
  await eventually(() => [one, two, other].every(({ text }) => text.includes('tick')))
  await app.signIns.endAll(ALICE.id)
  await eventually(() => one.isOver && two.isOver && app.live.open === 1)
  t.ok(one.text.endsWith(BYE))
  t.notOk(other.isOver)
  t.notOk(client.closed)
  const again = open(client, '/by-hand', mine)
  await eventually(() => again.isOver)
  t.match(again.text, /SIGNED_OUT/)
  client.destroy()
  await eventually(() => app.live.open === 0)
})

function open(client: ClientHttp2Session, path: string, headers: Headers): Stream {
  const stream: Stream = { text: '', isOver: false }
  const request = client.request({ ':path': path, ...headers }).setEncoding('utf8')
  request.on('data', (chunk) => {
    stream.text += chunk
  })
  request.on('end', () => {
    stream.isOver = true
  })
  request.on('error', () => {})
  return stream
}
