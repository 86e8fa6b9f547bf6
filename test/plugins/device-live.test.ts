import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import deviceBinding from '../../plugins/device-binding.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { DeviceClient, offersOf } from '../helpers/device-client.js'
import { startLive } from '../helpers/live.js'
import { ALICE, cookieMode, faultyStore, sessionMode, TestClock } from '../helpers/suite.js'

const MODES = ['cookie', 'session'] as const
const EXPIRED = [4408, 'credential_expired']
const MINUTE = 60

async function started(t: Test, mode: (typeof MODES)[number], registers = true, store = createMemoryStore()) {
  const signals: AbortSignal[] = []
  const clock = new TestClock()
  const live = await startLive(t, {
    store,
    clock,
    modes: [
      async (app) => void (await app.register(deviceBinding, { mode: 'on' })),
      sessionMode({ secure: true }),
      cookieMode({ secure: true }),
    ],
    routes(app) {
      // As long as a handler takes to look something up.
      const wait = async ({ query }: FastifyRequest) => {
        if (JSON.stringify(query) === '{"slow":""}') clock.advance(2)
      }
      app.get('/stream', { preHandler: [app.guard(), wait] }, (request, reply) => {
        signals.push(request.endSignal)
        reply.hijack()
        reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
        reply.raw.write(': begin\n\n')
        app.live.bindStream(request, reply)
      })
    },
  })
  const { app, port } = live
  const client = new DeviceClient(app, clock.read)
  client.registers = registers
  const login = await client.post(`/sign_in/${mode}`, { account: ALICE, options: {} })
  const stream = async (path = '/stream', cookie = client.cookies()) => {
    const request = get({ port, path, headers: { cookie }, agent: false })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    return once(response, 'end')
  }
  return { ...live, client, login, signals, stream, connect: () => live.open({ cookie: client.cookies() }) }
}

for (const mode of MODES) {
  t.test(`${mode}: a socket of a bound sign-in ends with the proof that it was opened with`, async (t) => {
    const { client, clock, connect, received } = await started(t, mode)
    clock.advance(5 * MINUTE)
    const first = await connect()
    clock.advance(13 * MINUTE)
    await client.get('/me')
    for (const bound of client.bound.values()) await client.refresh(bound)
    const second = await connect()
    t.equal(await first.echo('a'), 'a')
    clock.advance(2 * MINUTE)
    first.socket.send('too late')
    t.strictSame(await first.closed, EXPIRED)
    t.equal(await second.echo('b'), 'b', 'its proof is newer')
    t.strictSame(received, ['a', 'b'])
    // The browser renews at the next handshake.
    clock.advance(20 * MINUTE)
    t.strictSame(await second.closed, EXPIRED)
    await client.get('/me')
    const third = await connect()
    t.equal(await third.echo('c'), 'c')
  })

  t.test(`${mode}: so does a stream, and its signal`, async (t) => {
    const { clock, stream, signals } = await started(t, mode)
    clock.advance(80)
    const ended = stream()
    while (signals.length === 0) await new Promise((resolve) => setImmediate(resolve))
    t.equal(signals[0]?.aborted, false)
    clock.advance(20 * MINUTE)
    await ended
    t.match(signals[0]?.reason, { code: 'CREDENTIAL_EXPIRED' })
  })

  t.test(`${mode}: a socket from before the registration ends 75 seconds after the login`, async (t) => {
    const { client, clock, connect, login, received } = await started(t, mode, false)
    const peer = await connect()
    const [offer] = offersOf(login)
    if (offer) await client.register(offer)
    clock.advance(74)
    t.equal(await peer.echo('a'), 'a')
    clock.advance(1)
    peer.socket.send('too late')
    t.strictSame(await peer.closed, EXPIRED)
    t.strictSame(received, ['a'])
  })

  t.test(`${mode}: a stream whose handler takes until those are over ends at once`, async (t) => {
    const { client, clock, login, signals, stream } = await started(t, mode, false)
    const cookies = client.cookies()
    const [offer] = offersOf(login)
    if (offer) await client.register(offer)
    clock.advance(74)
    await stream('/stream?slow=', cookies)
    t.match(signals[0]?.reason, { code: 'CREDENTIAL_EXPIRED' })
  })

  t.test(`${mode}: of a sign-in that was never bound, it goes on`, async (t) => {
    const { clock, connect, received, app } = await started(t, mode, false)
    const peer = await connect()
    clock.advance(80)
    t.equal(await peer.echo('a'), 'a', 'held back until the record was read')
    clock.advance(30 * MINUTE)
    t.equal(await peer.echo('b'), 'b')
    t.strictSame(received, ['a', 'b'])
    await app.signIns.endAll(ALICE.id)
    t.strictSame(await peer.closed, [4401, 'signed_out'])
  })

  t.test(`${mode}: when the store cannot tell then, it ends and may come again`, async (t) => {
    const { store, failing } = faultyStore(createMemoryStore())
    const { clock, connect, received } = await started(t, mode, false, store)
    const peer = await connect()
    failing.add('settleBinding')
    clock.advance(80)
    peer.socket.send('a')
    t.strictSame(await peer.closed, [1013, 'store_unavailable'])
    t.strictSame(received, [])
  })
}
