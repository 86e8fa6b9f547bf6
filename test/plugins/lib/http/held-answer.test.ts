import { request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { type Test, test } from 'tap'
import { beforeAnswer, finishAnswer } from '../../../../plugins/lib/http/before-answer.js'
import { listen } from '../../../helpers/http.js'
import { makeGate } from '../../../helpers/session-app.js'
import { ticks } from '../../../helpers/ways-of-answering.js'

interface Setting {
  readonly app: FastifyInstance
  readonly warned: string[]
  /** Ends the work that every request has before its answer; with an error it fails. */
  readonly work: { done: Promise<void> }
}

/** An application each of whose routes has work before its answer. */
function start(t: Test, before: (app: FastifyInstance) => unknown = () => {}): Setting {
  const warned: string[] = []
  const stream = {
    write: (line: string) => {
      const { msg, err } = JSON.parse(line)
      warned.push(String(err?.code ?? msg))
    },
  }
  const app = Fastify({ logger: { level: 'warn', stream }, forceCloseConnections: true })
  t.teardown(() => app.close())
  const work = { done: Promise.resolve() }
  before(app)
  app.addHook('onRequest', async (request) => beforeAnswer(request, () => work.done))
  app.addHook('onSend', finishAnswer)
  return { app, warned, work }
}

const late = (error?: Error) => ticks(20).then(() => (error ? Promise.reject(error) : undefined))

test('a client that hangs up meanwhile: the work is done, and a stream is closed', async (t) => {
  const { app, work } = start(t)
  const gate = makeGate()
  const sent = makeGate()
  const payload = new Readable({ read() {} })
  app.get('/', async (request, reply) => {
    reply.send(payload)
    sent.open()
    await new Promise((resolve) => request.raw.once('close', resolve))
    gate.open()
  })
  work.done = gate.opened
  const port = await listen(app)
  const asking = httpRequest({ port, host: '127.0.0.1' }).on('error', () => {})
  asking.end()
  await sent.opened
  const closed = new Promise((resolve) => payload.once('close', resolve))
  asking.destroy()
  await closed
  t.ok(payload.destroyed)
})

test('handlerTimeout does not replace an answer that was sent in time', async (t) => {
  const { app, work } = start(t)
  const gate = makeGate()
  work.done = gate.opened
  app.get('/', { handlerTimeout: 5 }, async (_, reply) => {
    reply.code(201).send({ first: 1 })
    // Timers end in order: this one after Fastify's.
    setTimeout(gate.open, 10)
  })
  const answer = await app.inject('/')
  t.strictSame([answer.statusCode, answer.json()], [201, { first: 1 }])
})

test('what reaches the hook beside an answer that is held is dropped with the warning of Fastify', async (t) => {
  const dropped: Readable[] = []
  const web: ReadableStream[] = []
  const { app, warned, work } = start(t, (app) => {
    // Takes as long for both: the reply is not held yet as the second one is sent.
    app.addHook('onSend', async () => ticks(2))
  })
  const second: Record<string, () => unknown> = {
    '/value': () => ({ second: 2 }),
    '/stream': () => {
      const stream = new Readable({ read() {} })
      dropped.push(stream)
      return stream
    },
    '/web': () => {
      const stream = new ReadableStream({})
      web.push(stream)
      return stream
    },
    '/response': () => new Response('second'),
  }
  for (const [path, make] of Object.entries(second)) {
    app.get(path, (_, reply) => {
      reply.send({ first: 1 })
      reply.send(make())
    })
  }
  for (const path of Object.keys(second)) {
    work.done = late()
    const answer = await app.inject(path)
    t.strictSame([answer.statusCode, answer.json()], [200, { first: 1 }], path)
    t.strictSame(warned.splice(0), ['FST_ERR_REP_ALREADY_SENT'], path)
  }
  t.ok(dropped[0]?.destroyed, 'it holds no file and no socket')
  const { done } = (await web[0]?.getReader().read()) ?? {}
  t.equal(done, true)
})

test('hooks of the application that come after see the answer, and may replace it', async (t) => {
  const { app, work } = start(t)
  work.done = late()
  app.addHook('onSend', async (_, reply, payload) => {
    await ticks(2)
    reply.header('x-sent', String(reply.sent))
    return `${payload}, and more`
  })
  app.get('/', async (_, reply) => void reply.send('first'))
  const answer = await app.inject('/')
  t.equal(answer.body, 'first, and more')
  t.equal(answer.headers['x-sent'], 'false')
})

test('an error that Fastify dropped is not taken for the page of the next one', async (t) => {
  const { app, work } = start(t)
  work.done = late(Object.assign(new Error('no store'), { statusCode: 503 }))
  app.setErrorHandler<Error>((error, _, reply) => reply.code(507).send({ page: error.message }))
  app.get('/', (_, reply) => {
    reply.send({ first: 1 })
    throw new Error('too late')
  })
  const answer = await app.inject('/')
  t.strictSame([answer.statusCode, answer.json()], [507, { page: 'no store' }])
})

test('an error page whose own work fails has the status and the headers of that', async (t) => {
  const { app, work } = start(t)
  const failure = { statusCode: 503, headers: { 'retry-after': '1' } }
  app.get('/', async () => {
    throw Object.assign(new Error('a teapot'), { statusCode: 418 })
  })
  work.done = late(Object.assign(new Error('no store'), failure))
  const answer = await app.inject('/')
  t.strictSame([answer.statusCode, answer.json().message], [503, 'no store'])
  t.equal(answer.headers['retry-after'], '1')
  for (const error of [new Error('bare'), 'no error', Object.assign(new Error('odd'), { statusCode: 99 })]) {
    work.done = ticks(2).then(() => Promise.reject(error))
    t.equal((await app.inject('/')).statusCode, 500, String(error))
  }
})

test('await reply and return reply wait for the end of the answer', async (t) => {
  const { app, work } = start(t)
  work.done = late()
  const seen: string[] = []
  const note = (reply: FastifyReply) => seen.push(`${reply.sent}, ${reply.raw.writableEnded}`)
  app.get('/', async (_, reply) => {
    reply.send('first')
    note(reply)
    await reply
    note(reply)
    reply.then(() => note(reply), t.fail)
  })
  t.equal((await app.inject('/')).body, 'first')
  await ticks(2)
  t.strictSame(seen, ['true, false', 'true, true', 'true, true'])
})

test('an application that writes to reply.raw meanwhile ends nothing but its own answer', async (t) => {
  const { app, work } = start(t)
  work.done = late()
  app.get('/', (_, reply) => {
    reply.send('first')
    reply.raw.setHeader('x-raw', 'yes')
    reply.raw.end('second')
  })
  const port = await listen(app)
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  t.equal(await answer.text(), 'second')
  t.equal((await fetch(`http://127.0.0.1:${port}/nowhere`)).status, 404, 'the process lives')
})
