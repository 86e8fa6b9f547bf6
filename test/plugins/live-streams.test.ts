import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Test, test } from 'tap'
import { eventually } from '../helpers/followed.js'
import { startLive } from '../helpers/live.js'
import { ALICE } from '../helpers/suite.js'

/** Routes: a stream, which with `pauses` is bound once `go` was called, and one that answers once `endSlow` was called. */
async function startStreams(t: Test, { pauses = false } = {}) {
  const streams: Readable[] = []
  const signals: AbortSignal[] = []
  const [gate, release] = [new AbortController(), new AbortController()]
  if (!pauses) gate.abort()
  const live = await startLive(t, {
    routes(app) {
      app.get(
        '/stream',
        { preHandler: app.guard() },
        async (request: FastifyRequest, reply: FastifyReply) => {
          signals.push(request.endSignal)
          if (!gate.signal.aborted) await once(gate.signal, 'abort')
          app.live.bindStream(request, reply)
          const stream = new Readable({ read() {} })
          streams.push(stream)
          stream.push('data: hello\n\n')
          return reply.type('text/event-stream').send(stream)
        },
      )
      app.get('/slow', async () => {
        await once(release.signal, 'abort')
        return 'slow'
      })
    },
  })
  return { ...live, streams, signals, go: () => gate.abort(), endSlow: () => release.abort() }
}

/** Writes several requests at once, without waiting for an answer. */
async function pipeline(
  t: Test,
  port: number,
  requests: readonly [url: string, headers: object][],
): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  for (const [url, headers] of requests) {
    const lines = Object.entries({ host: 'x', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`GET ${url} HTTP/1.1\r\n${lines.join('')}\r\n`)
  }
  return socket
}

const QUEUED = 20

test('streams that a client has queued behind another one are forgotten with their connection', async (t) => {
  const { app, enter, port, streams, signals } = await startStreams(t)
  const headers = await enter()
  const socket = await pipeline(t, port, Array(QUEUED).fill(['/stream', headers]))
  await eventually(() => app.live.open === QUEUED)
  socket.destroy()
  await eventually(() => app.live.open === 0)
  await eventually(() => streams.every(({ destroyed }) => destroyed))
  await app.signIns.endAll(ALICE.id)
  t.notOk(
    signals.some(({ aborted }) => aborted),
    'their requests are over',
  )
})

test('so are those whose connection has gone before they were bound', async (t) => {
  const { app, enter, port, streams, signals, go } = await startStreams(t, { pauses: true })
  const socket = await pipeline(t, port, Array(3).fill(['/stream', await enter()]))
  await eventually(() => signals.length === 3)
  const gone = once(socket, 'close')
  socket.destroy()
  await gone
  go()
  await eventually(() => streams.length === 3 && streams.every(({ destroyed }) => destroyed))
  t.equal(app.live.open, 0)
})

/** A stream behind an answer that takes its time. */
async function startQueued(t: Test) {
  const streams = await startStreams(t)
  const socket = await pipeline(t, streams.port, [
    ['/slow', {}],
    ['/stream', await streams.enter()],
  ])
  const got = { text: '' }
  socket.on('data', (chunk) => {
    got.text += chunk
  })
  await eventually(() => streams.app.live.open === 1)
  return { ...streams, socket, got }
}

test('a queued stream ends with its sign-in', async (t) => {
  const { app, socket, got, streams, endSlow } = await startQueued(t)
  const closed = once(socket, 'close')
  await app.signIns.endAll(ALICE.id)
  endSlow()
  await closed
  t.match(got.text, /slow/, 'the answer before it is whole')
  await eventually(() => app.live.open === 0 && streams[0]?.destroyed === true)
})

test('a queued stream whose turn comes works like any other', async (t) => {
  const { app, socket, got, endSlow } = await startQueued(t)
  endSlow()
  await eventually(() => got.text.includes('hello'))
  t.equal(app.live.open, 1)
  socket.destroy()
  await eventually(() => app.live.open === 0)
})
