import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { createWebSocketStream } from 'ws'
import apiKeyAuth from '../../plugins/api-key-auth.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import live from '../../plugins/live.js'
import { eventually } from '../helpers/followed.js'
import { connectPeer, startLive } from '../helpers/live.js'
import { losableStore } from '../helpers/losable-store.js'
import { memoryApiKeys } from '../helpers/memory-api-keys.js'
import {
  ALICE,
  BOB,
  buildSuite,
  cookieMode,
  faultyStore,
  handMadeMode,
  headerMode,
  refused,
  tokenMode,
} from '../helpers/suite.js'

const SIGNED_OUT = [4401, 'signed_out']
const EXPIRED = [4408, 'credential_expired']
const UNSURE = [1013, 'store_unavailable']
const STOPPING = [1012, 'stopping']

const ACCOUNT = { id: ALICE.id }
const UNTIL = 2 ** 52

/** What ends a sign-in. */
const ENDS = {
  'a sign-out': async (app: FastifyInstance, headers: Record<string, string>) => {
    await app.inject({ method: 'POST', url: '/sign_out/cookie', headers })
  },
  'the end of one sign-in': async (app: FastifyInstance) => {
    const [record] = await app.signIns.list(ALICE.id)
    await app.signIns.end({ accountId: ALICE.id, signInId: record?.id ?? '' })
  },
  'the end of all': async (app: FastifyInstance) => void (await app.signIns.endAll(ALICE.id)),
  'an epoch, which a role change, disabling and a new password raise': async (app: FastifyInstance) =>
    void (await app.signIns.raiseEpoch({ ...ACCOUNT, epoch: 1 })),
  'a new sign-in in its place': async (app: FastifyInstance, headers: Record<string, string>) => {
    await app.inject({
      method: 'POST',
      url: '/sign_in/cookie',
      headers,
      payload: { account: ALICE, options: {} },
    })
  },
}

for (const [name, end] of Object.entries(ENDS)) {
  test(`${name} closes a socket with 4401, and aborts the signal`, async (t) => {
    const signals: AbortSignal[] = []
    const { app, enter, open, received } = await startLive(t, {
      bind: (app, request, socket) => {
        signals.push(request.endSignal)
        app.live.bindSocket(request, socket)
      },
    })
    const headers = await enter()
    const peer = await open(headers)
    t.equal(await peer.echo('before'), 'before')
    await end(app, headers)
    t.strictSame(await peer.closed, SIGNED_OUT)
    t.match(signals[0], { aborted: true, reason: { code: 'SIGNED_OUT' } })
    t.strictSame(received, ['before'])
    await t.rejects(open(headers), /refused with 401/, 'a dead credential opens no other one')
  })
}

test('"end the others" closes the others, and leaves the own one open', async (t) => {
  const { app, enter, open } = await startLive(t)
  const own = await open(await enter())
  const [{ id } = { id: '' }] = await app.signIns.list(ALICE.id)
  const other = await open(await enter('token'))
  const stranger = await open(await enter('cookie', { account: BOB }))
  await app.signIns.endAll(ALICE.id, id)
  t.strictSame(await other.closed, SIGNED_OUT)
  t.equal(await own.echo('here'), 'here')
  t.equal(await stranger.echo('here'), 'here')
  t.equal(app.live.open, 2)
})

test('a sign-in has at most so many connections: one more is refused, and reaches nobody', async (t) => {
  const { app, port, enter, open, received } = await startLive(t, {
    live: { cap: 2 },
    async routes(app) {
      app.get('/stream', { preHandler: app.guard() }, (request, reply) => {
        app.live.bindStream(request, reply)
        reply.hijack()
        reply.raw.write('hello')
      })
    },
  })
  const headers = await enter()
  const one = await open(headers)
  const stream = await fetch(`http://127.0.0.1:${port}/stream`, { headers })
  t.equal(stream.status, 200)
  for (let index = 0; index < 3; index++) {
    const socket = await open(headers)
    socket.socket.send('let me in')
    t.strictSame(await socket.closed, [1013, 'throttled'])
  }
  const answer = await app.inject({ url: '/stream', headers })
  refused(t, answer, 429, 'THROTTLED')
  t.equal(answer.headers['retry-after'], '15')
  t.equal(app.live.open, 2)
  t.strictSame(received, [])
  t.equal(
    await (await open(await enter())).echo('here'),
    'here',
    'another sign-in has connections of its own',
  )
  t.equal(await one.echo('still here'), 'still here')
  one.socket.close()
  await eventually(() => app.live.open === 2)
  t.equal(await (await open(headers)).echo('again'), 'again', 'one that has closed makes room')
  await stream.body?.cancel()
})

test('the cap is a whole number', async (t) => {
  for (const cap of [0, 1.5, Number.NaN])
    await t.rejects(startLive(t, { live: { cap } }), { code: 'OPTION_INVALID', message: /cap/ })
})

test('many sockets of one sign-in close together', async (t) => {
  const { app, enter, open } = await startLive(t, { live: { cap: 200 } })
  const headers = await enter()
  const peers = await Promise.all(Array.from({ length: 200 }, () => open(headers)))
  t.equal(app.live.open, 200)
  await app.signIns.endAll(ALICE.id)
  for (const { closed } of peers) t.strictSame(await closed, SIGNED_OUT)
  await eventually(() => app.live.open === 0, 10_000)
})

/** A text frame of a client (RFC 6455 §5.2), masked with zeros. */
function frame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
}

/** A client that never closes, and never answers a close frame. */
async function connectDeaf(t: Test, port: number, cookie = '') {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: ${cookie}\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  const [head] = await once(socket, 'data')
  t.match(String(head), /^HTTP\/1.1 101 /)
  socket.on('error', () => {})
  return socket
}

test('a peer that ignores the close frame and goes on sending reaches nobody, and is cut off after a second', async (t) => {
  const pings: string[] = []
  const { app, port, enter, received } = await startLive(t, {
    bind: (app, request, socket) => {
      ;(socket as unknown as NodeJS.EventEmitter).on('ping', (data) => pings.push(String(data)))
      app.live.bindSocket(request, socket)
    },
  })
  const { cookie } = await enter()
  const socket = await connectDeaf(t, port, cookie)
  socket.write(frame('before'))
  await once(socket, 'data')
  await app.signIns.endAll(ALICE.id)
  const ended = performance.now()
  const ping = frame('ping')
  ping[0] = 0x89
  const sending = setInterval(() => {
    for (let index = 0; index < 10; index++) socket.write(frame('after'))
    socket.write(ping)
  }, 5)
  await new Promise((resolve) => socket.once('close', resolve))
  clearInterval(sending)
  t.ok(performance.now() - ended >= 990, 'it had a second for its close frame')
  t.strictSame([received, pings], [['before'], []])
  await eventually(() => app.live.open === 0, 10_000)
})

test('no message passes between the end and its notice, whoever listens', async (t) => {
  const heard: string[] = []
  const { enter, open } = await startLive(t, {
    bind: (app, request, socket) => {
      const emitter = socket as unknown as NodeJS.EventEmitter
      emitter.on('message', (data) => heard.push(`before ${data}`))
      app.live.bindSocket(request, socket)
      emitter.on('message', (data) => heard.push(`after ${data}`))
      const stream = createWebSocketStream(socket as never, { encoding: 'utf8' })
      stream.on('error', () => {})
      stream.on('data', (text) => {
        heard.push(`stream ${text}`)
        // This process itself ends the sign-in. No notice has been heard when the next message is there.
        if (text === 'end') void app.stateStore.endSignIn(ALICE.id, request.identity.signInId, UNTIL)
      })
    },
  })
  const peer = await open(await enter())
  peer.socket.send('one')
  await eventually(() => !(heard.length < 3), 10_000)
  for (const text of ['end', 'two', 'three']) peer.socket.send(text)
  t.strictSame(await peer.closed, SIGNED_OUT)
  t.same(
    heard.filter((line) => /two|three/.test(line) && line.startsWith('stream')),
    [],
  )
  t.ok(heard.includes('before one') && heard.includes('after one') && heard.includes('stream one'))
})

test('the gate asks memory before each message: an end of this process needs no notice', async (t) => {
  const heard: string[] = []
  const memory = createMemoryStore()
  // A store that never says that it has learned of something.
  const store = new Proxy(memory, {
    get: (target, name) =>
      name === 'onRevoked'
        ? () => () => {}
        : (Reflect.get(target, name)?.bind?.(target) ?? Reflect.get(target, name)),
  })
  const { app, enter, open } = await startLive(t, {
    store,
    bind: (app, request, socket) => {
      app.live.bindSocket(request, socket)
      ;(socket as unknown as NodeJS.EventEmitter).on('message', (data) => {
        heard.push(String(data))
        if (String(data) === 'end') void app.stateStore.endSignIn(ALICE.id, request.identity.signInId, UNTIL)
      })
    },
  })
  const peer = await open(await enter())
  // One write: the server reads all of them in one turn.
  const { _socket: raw } = peer.socket as unknown as { _socket: NodeJS.WritableStream }
  raw.write(Buffer.concat(['one', 'end', 'two', 'three'].map(frame)))
  t.strictSame(await peer.closed, SIGNED_OUT)
  t.strictSame(heard, ['one', 'end'])
  t.ok(app)
})

test('a refresh does not close; an access token that expires unrefreshed closes with 4408', async (t) => {
  const { app, clock, open, signIn } = await startLive(t, {
    routes: (app) =>
      void app.post<{ Body: { token: string } }>('/refresh', (request) =>
        app.refreshTokens.refresh(request, request.body.token),
      ),
  })
  const pair = (await signIn('token')).json().issued
  const stays = await open({ authorization: `Bearer ${pair.token}` })
  const other = (await signIn('token', { account: BOB })).json().issued
  const goes = await open({ authorization: `Bearer ${other.token}` })
  clock.advance(600)
  t.equal(
    (await app.inject({ method: 'POST', url: '/refresh', payload: { token: pair.refreshToken } })).statusCode,
    200,
  )
  clock.advance(301)
  t.strictSame(await goes.closed, EXPIRED, 'the one that was not refreshed')
  t.equal(await stays.echo('here'), 'here', 'the one that was')
  clock.advance(600)
  t.strictSame(await stays.closed, EXPIRED, 'when the newest token has expired')
})

test('a renewed cookie or session keeps a socket open; one that nobody used is over with its sign-in', async (t) => {
  for (const mode of ['cookie', 'session'] as const) {
    const { app, clock, enter, open, me } = await startLive(t)
    const headers = await enter(mode)
    const peer = await open(headers)
    const step = mode === 'cookie' ? 2000 : 4000
    for (let round = 0; round < 3; round++) {
      clock.advance(step)
      const answer = await me(headers)
      t.equal(answer.statusCode, 200)
      const [renewed] = answer.cookies
      if (renewed) headers.cookie = `${renewed.name}=${renewed.value}`
      t.equal(await peer.echo('here'), 'here', `${mode}: ${step * (round + 1)} s`)
    }
    const [before] = await app.signIns.list(ALICE.id)
    clock.advance(step)
    t.equal(await peer.echo('still here'), 'still here')
    const [after] = await app.signIns.list(ALICE.id)
    t.strictSame(after, before, `${mode}: an open socket is no use, and keeps nothing alive`)
    clock.advance(2 * step)
    t.strictSame(await peer.closed, SIGNED_OUT, `${mode}: the sign-in is over`)
  }
})

test('records are read in batches, only when a credential may have expired', async (t) => {
  const { store, calls } = faultyStore(createMemoryStore())
  const { clock, enter, open } = await startLive(t, { store })
  const peers = await Promise.all(
    Array.from({ length: 20 }, async () => open(await enter('token', { account: ALICE }))),
  )
  calls.length = 0
  for (const peer of peers) await peer.echo('here')
  t.equal(calls.filter((call) => call === 'findSignIn').length, 0)
  clock.advance(901)
  for (const { closed } of peers) t.strictSame(await closed, EXPIRED)
  t.equal(calls.filter((call) => call === 'findSignIn').length, 20)
})

test('a record that cannot be read: messages wait, and the socket closes with 1013', async (t) => {
  const { store, failing } = faultyStore(createMemoryStore())
  const { clock, enter, open, received } = await startLive(t, { store })
  const peer = await open(await enter('token'))
  failing.add('findSignIn')
  clock.advance(901)
  peer.socket.send('in doubt')
  t.strictSame(await peer.closed, UNSURE)
  t.strictSame(received, [])
})

test('an application’s own store, which answers by promise and tells nothing, is asked twice a second', async (t) => {
  const inner = createMemoryStore()
  const { store, failing } = faultyStore(
    new Proxy(inner, {
      get: (target, name) =>
        name === 'onRevoked'
          ? undefined
          : (Reflect.get(target, name)?.bind?.(target) ?? Reflect.get(target, name)),
    }),
    { promises: true },
  )
  const { app, enter, open, received } = await startLive(t, { store })
  const ended = await open(await enter())
  const other = await open(await enter('cookie', { account: BOB }))
  t.equal(await ended.echo('one'), 'one', 'messages wait for the answer')
  for (const text of ['two', 'three', 'four']) other.socket.send(text)
  await eventually(() => !(received.length < 4), 10_000)
  t.strictSame(received, ['one', 'two', 'three', 'four'], 'and keep their order')
  await app.signIns.endAll(ALICE.id)
  ended.socket.send('too late')
  t.strictSame(await ended.closed, SIGNED_OUT)
  failing.add('isLive')
  t.strictSame(await other.closed, UNSURE, 'what the store cannot vouch for')
  t.notOk(received.includes('too late'))
})

for (const order of ['before', 'after'] as const) {
  test(`a stopping server closes sockets with 1012, with @fastify/websocket registered ${order} the suite`, async (t) => {
    const { app, signIn } = await buildSuite(t, {
      modes: [cookieMode()],
      before: (app) => order === 'before' && app.register(websocket),
      async routes(app) {
        await app.register(live)
        if (order === 'after') await app.register(websocket)
        // In a scope, so that the plugin sees the route.
        await app.register(async (scope) => {
          scope.get('/ws', { websocket: true, preHandler: app.guard() }, (socket, request) => {
            app.live.bindSocket(request, socket)
            socket.on('message', (text) => (String(text) === 'bye' ? socket.close() : socket.send('here')))
          })
        })
      },
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const address = app.server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const cookies = (await signIn('cookie')).cookies.map(({ name, value }) => `${name}=${value}`)
    const headers = { cookie: cookies.join('; ') }
    const [peer, leaving] = await Promise.all([connectPeer(port, headers), connectPeer(port, headers)])
    await peer.echo('one')
    leaving.socket.send('bye')
    t.strictSame(await leaving.closed, [1005, ''], 'the application may close without a code')
    const deaf = await connectDeaf(t, port, headers.cookie)
    const closing = app.close()
    t.strictSame(await peer.closed, STOPPING)
    await closing
    t.ok(deaf, 'a deaf peer does not hold up the stop')
  })
}

test('bound late, the end that came meanwhile closes it at once', async (t) => {
  let bindNow = () => {}
  const gate = new Promise<void>((resolve) => {
    bindNow = resolve
  })
  const { app, enter, open, received } = await startLive(t, {
    bind: async (app, request, socket) => {
      await gate
      app.live.bindSocket(request, socket)
    },
  })
  const peer = await open(await enter())
  await app.signIns.endAll(ALICE.id)
  bindNow()
  t.strictSame(await peer.closed, SIGNED_OUT)
  t.strictSame(received, [])
})

test('a sign-in that ends during the handshake', async (t) => {
  for (let round = 0; round < 20; round++) {
    const { app, enter, open, received } = await startLive(t)
    const headers = await enter()
    const opening = open(headers).catch((error: Error) => error)
    for (let turn = 0; turn < round % 5; turn++) await nextTurn()
    await app.signIns.endAll(ALICE.id)
    const peer = await opening
    if (peer instanceof Error) t.match(peer.message, /refused with 401/)
    else {
      peer.socket.send('too late')
      t.strictSame(await peer.closed, SIGNED_OUT)
    }
    t.strictSame(received, [], `round ${round}`)
    await app.close()
  }
})

test('bound twice it is bound once, and forgotten when its peer closes it', async (t) => {
  const { app, enter, open } = await startLive(t, {
    bind: (app, request, socket) => {
      app.live.bindSocket(request, socket)
      app.live.bindSocket(request, socket)
    },
  })
  const peer = await open(await enter())
  t.equal(app.live.open, 1)
  t.equal(await peer.echo('once'), 'once')
  peer.socket.close(1000)
  await peer.closed
  await eventually(() => !(app.live.open > 0), 10_000)
  t.equal(app.live.open, 0, 'forgotten')
})

test('a closed socket stays closed; without a guard it is a mistake', async (t) => {
  const errors: unknown[] = []
  let bound = () => {}
  const done = new Promise<void>((resolve) => {
    bound = resolve
  })
  const { app, enter, open, port } = await startLive(t, {
    bind: async (app, request, socket) => {
      socket.close(1000, 'enough')
      await once(socket as unknown as NodeJS.EventEmitter, 'close')
      app.live.bindSocket(request, socket)
      bound()
    },
    routes: (app) => {
      const bindHere = (path: string, options: object) =>
        app.get(path, { websocket: true, ...options }, (socket, request) => {
          try {
            app.live.bindSocket(request, socket)
          } catch (error) {
            errors.push(error)
          }
          try {
            t.notOk(request.endSignal)
          } catch (error) {
            errors.push(error)
          }
          socket.close(1000)
        })
      bindHere('/unguarded', {})
      bindHere('/nobody', { preHandler: app.guard({ optional: true }) })
    },
  })
  const peer = await open(await enter())
  t.strictSame(await peer.closed, [1000, 'enough'])
  await done
  t.equal(app.live.open, 0)
  for (const path of ['/unguarded', '/nobody']) await (await connectPeer(port, {}, path)).closed
  t.match(
    errors,
    Array.from({ length: 4 }, () => ({ code: 'IDENTITY_UNGUARDED' })),
  )
})

test('an API key keeps its socket when the revocation list is lost; people sign in again', async (t) => {
  const { source } = memoryApiKeys(() => ({ ...ALICE, epoch: 0 }))
  const { store, lose } = losableStore()
  const { app, enter, open, signIn } = await startLive(t, {
    store,
    modes: [async (app) => void (await app.register(apiKeyAuth, { source })), cookieMode()],
  })
  const { id, key } = (await signIn('api_key')).json().issued
  const program = await open({ authorization: `Bearer ${key}` })
  const person = await open(await enter())
  lose()
  t.equal(await Promise.race([program.echo('here'), program.closed]), 'here')
  person.socket.send('here')
  t.strictSame(await person.closed, SIGNED_OUT)
  t.equal(await program.echo('still here'), 'still here')
  await app.signIns.end({ accountId: ALICE.id, signInId: id })
  program.socket.send('too late')
  t.strictSame(await program.closed, SIGNED_OUT)
})

test('a socket of an API key closes when the key expires: nothing renews it', async (t) => {
  const { source } = memoryApiKeys(() => ({ ...ALICE, epoch: 0 }))
  const { clock, open, signIn } = await startLive(t, {
    modes: [async (app) => void (await app.register(apiKeyAuth, { source }))],
  })
  const { key } = (await signIn('api_key', { apiKey: { expiresIn: 60 } })).json().issued
  const peer = await open({ authorization: `Bearer ${key}` })
  clock.advance(59)
  t.equal(await peer.echo('here'), 'here')
  clock.advance(1)
  t.strictSame(await peer.closed, SIGNED_OUT)
})

test('a mode of an application, which names the caller only, is watched by its record', async (t) => {
  const suite = await startLive(t, { modes: [cookieMode(), handMadeMode(headerMode('custom' as 'cookie'))] })
  const { app, port, store, clock } = suite
  const generation = await store.generation()
  const { signInRecord } = await import('../store-contract.js')
  const times = {
    createdAt: clock.now,
    lastSeenAt: clock.now,
    idleExpiresAt: clock.now + 60_000,
    absoluteExpiresAt: clock.now + 60_000,
  }
  const own = { id: 'sign-in-1', accountId: ALICE.id, epoch: 0, generation, ...times }
  await store.addSignIn(signInRecord(own))
  const peer = await connectPeer(port, { 'x-custom': 'alice' })
  t.equal(await peer.echo('one'), 'one')
  await app.signIns.end({ accountId: ALICE.id, signInId: 'sign-in-1' })
  t.strictSame(await peer.closed, SIGNED_OUT)
  const without = await connectPeer(port, { 'x-custom': 'bob' })
  t.strictSame(await without.closed, SIGNED_OUT, 'without a record nobody can tell when it ends')
})

test('a request that does not read the signal pays nothing; one that does is forgotten with its answer', async (t) => {
  let watching = 0
  const memory = createMemoryStore()
  const store = new Proxy(memory, {
    get(target, name) {
      if (name === 'onRevoked') {
        return (listener: () => void) => {
          watching++
          const leave = memory.onRevoked?.(listener)
          return () => {
            watching--
            leave?.()
          }
        }
      }
      return Reflect.get(target, name)?.bind?.(target) ?? Reflect.get(target, name)
    },
  })
  let read: AbortSignal | undefined
  const { app, enter, me } = await startLive(t, {
    store,
    routes: (app) =>
      void app.get('/read', { preHandler: app.guard() }, async (request) => {
        read = request.endSignal
        return { watching, same: read === request.endSignal, aborted: read.aborted }
      }),
  })
  const headers = await enter()
  t.equal((await me(headers)).statusCode, 200)
  t.equal(watching, 0)
  t.strictSame((await app.inject({ url: '/read', headers })).json(), {
    watching: 1,
    same: true,
    aborted: false,
  })
  await eventually(() => !(watching > 0), 10_000)
  await app.signIns.endAll(ALICE.id)
  await nextTurn()
  t.equal(read?.aborted, false, 'its request is over')
})

test('the signal stops work that a request has begun', async (t) => {
  let begun = () => {}
  const started = new Promise<void>((resolve) => {
    begun = resolve
  })
  const { app, enter } = await startLive(t, {
    routes: (app) =>
      void app.get('/work', { preHandler: app.guard() }, async ({ endSignal }) => {
        begun()
        await once(endSignal, 'abort')
        throw endSignal.reason
      }),
  })
  const answering = app.inject({ url: '/work', headers: await enter() })
  await started
  await app.signIns.endAll(ALICE.id)
  refused(t, await answering, 401, 'SIGNED_OUT')
})

test('a page of another origin opens no socket with somebody’s cookie', async (t) => {
  const { enter, open, port } = await startLive(t)
  const headers = await enter()
  for (const origin of ['http://evil.example', `http://localhost:${port + 1}`, 'null']) {
    await t.rejects(open({ ...headers, origin }), /refused with 403/, origin)
  }
  t.ok(await open({ ...headers, origin: `http://127.0.0.1:${port}` }))
})

test('an unknown option is refused', async (t) => {
  await t.rejects(
    buildSuite(t, { modes: [tokenMode()], routes: (app) => app.register(live, { polling: true } as never) }),
    { code: 'OPTION_INVALID' },
  )
})
