import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest, HTTPMethods, RouteShorthandOptions } from 'fastify'

/** Lets what is under way go on: steps of the event loop, whatever time they take. */
export async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

/** Longer than any work that is held up here. */
const LATE = 60

/** For which no clock runs: the handler lets the time pass by itself. In ms. */
const HANDLER_TIMEOUT = 86_400_001
const timeouts: (() => void)[] = []

/** Has `handlerTimeout` go off when a handler wants it, and not when the machine is slow. Once for a test file. */
export function takeHandlerTimeouts(): void {
  globalThis.setTimeout = new Proxy(globalThis.setTimeout, {
    apply(target, self, [handler, ms, ...args]) {
      if (ms === HANDLER_TIMEOUT) timeouts.push(handler)
      return Reflect.apply(target, self, [handler, ms, ...args])
    },
  })
}

async function outlastTimeout(request: FastifyRequest): Promise<void> {
  const aborted = new Promise((resolve) => request.signal.addEventListener('abort', resolve))
  for (const handler of timeouts.splice(0)) handler()
  await aborted
}

export interface Way {
  readonly method?: HTTPMethods
  /** Hooks after those that make work, and other options of the route. */
  readonly options?: RouteShorthandOptions
  /** The handler. What it pushes to `seen` says that it came this far, and in which order. */
  readonly answer: (request: FastifyRequest, reply: FastifyReply, seen: string[]) => unknown
  /** Set where Fastify does not answer: the suite's hooks do not run. */
  readonly raw?: true
  /** The way whose answer is right. Bare Fastify spoils this one: it takes a stream that it has begun to send for unsent. */
  readonly like?: string
  /** What is logged besides. */
  readonly logs?: readonly string[]
  /** Set where Fastify answers without the headers of the reply, one of which cannot be written. */
  readonly headless?: true
  /** Set where bare Fastify has no whole error page, whatever fails. */
  readonly pageless?: true
}

const refusal = Object.assign(new Error('a teapot'), { statusCode: 418 })

function failing(): Readable {
  return new Readable({
    read() {
      this.destroy(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }))
    },
  })
}

/** Fails once its first bytes are on their way. */
function failingLate(): Readable {
  const chunks = ['first ']
  return new Readable({
    read() {
      const chunk = chunks.shift()
      if (chunk !== undefined) this.push(chunk)
      else ticks(10).then(() => this.destroy(Object.assign(new Error('broken pipe'), { code: 'EPIPE' })))
    },
  })
}

function circular(): object {
  const object: { self?: object } = {}
  object.self = object
  return object
}

async function consumed(): Promise<Response> {
  const response = new Response('read already')
  await response.text()
  return response
}

/** A route whose handler must not run. */
const behind = {
  answer: async (_q: FastifyRequest, _r: FastifyReply, seen: string[]) => {
    seen.push('handler ran')
    return 'secret'
  },
}

const pay = (reply: FastifyReply) => reply.code(402).send({ pay: true })

/** Every way of answering: what bare Fastify makes of it is right. */
export const WAYS: Record<string, Way> = {
  'return a value': { answer: async () => ({ first: 1 }) },
  'return a string': {
    async answer(_, reply) {
      reply.type('text/html')
      return '<p>first</p>'
    },
  },
  'send, with return': { answer: async (_, reply) => reply.send({ first: 1 }) },
  'send, without return': { answer: async (_, reply) => void reply.code(201).send({ first: 1 }) },
  'send, and return reply': {
    async answer(_, reply) {
      reply.send({ first: 1 })
      return reply
    },
  },
  'send later, and return reply': {
    async answer(_, reply) {
      setImmediate(() => reply.send({ first: 1 }))
      return reply
    },
  },
  'send, then return something': {
    async answer(_, reply) {
      reply.header('x-first', 'yes').send({ first: 1 })
      return { second: 2 }
    },
  },
  'send, then return something late': {
    async answer(_, reply) {
      reply.send({ first: 1 })
      await ticks(3)
      return { second: 2 }
    },
  },
  'send, then return something much later': {
    async answer(_, reply) {
      reply.send({ first: 1 })
      await ticks(LATE)
      return { second: 2 }
    },
  },
  'send, then change all that describes the answer': {
    async answer(_, reply) {
      reply.header('x-first', 'yes').header('set-cookie', 'theme=dark').send({ first: 1 })
      reply.code(500).type('text/html').header('x-late', 'yes').header('content-length', 1)
      reply.removeHeader('x-first').header('set-cookie', 'theme=light')
    },
  },
  'send, then throw': {
    async answer(_, reply) {
      reply.send({ first: 1 })
      throw refusal
    },
  },
  'send, then throw late': {
    async answer(_, reply) {
      reply.send({ first: 1 })
      await ticks(3)
      throw refusal
    },
  },
  throw: {
    async answer() {
      throw refusal
    },
  },
  'send an error': { answer: async (_, reply) => void reply.send(refusal) },
  'without async: send': { answer: (_, reply) => void reply.send({ first: 1 }) },
  'without async: send twice': {
    answer(_, reply) {
      reply.send({ first: 1 })
      reply.send({ second: 2 })
    },
  },
  'without async: send, then throw': {
    answer(_, reply) {
      reply.send({ first: 1 })
      throw refusal
    },
  },
  'without async: send, then return something': {
    answer(_, reply) {
      reply.send({ first: 1 })
      return { second: 2 }
    },
  },
  'without async: send later': { answer: (_, reply) => void setImmediate(() => reply.send({ first: 1 })) },
  'redirect, with return': { answer: async (_, reply) => reply.redirect('/elsewhere') },
  'redirect, without return': { answer: async (_, reply) => void reply.redirect('/elsewhere', 307) },
  'redirect, then return something': {
    async answer(_, reply) {
      reply.redirect('/elsewhere')
      return { second: 2 }
    },
  },
  'call not found': { answer: async (_, reply) => void reply.callNotFound() },
  'a preHandler sends': { options: { preHandler: async (_, reply) => void pay(reply) }, ...behind },
  'a preHandler sends, and calls done': {
    options: {
      preHandler(_, reply, done) {
        pay(reply)
        done()
      },
    },
    ...behind,
  },
  'a preHandler sends, and returns late': {
    options: {
      async preHandler(_, reply) {
        pay(reply)
        await ticks(LATE)
      },
    },
    ...behind,
  },
  'a preHandler throws': { options: { preHandler: () => Promise.reject(refusal) }, ...behind },
  'a preValidation sends': { options: { preValidation: async (_, reply) => void pay(reply) }, ...behind },
  'a preParsing sends': { options: { preParsing: async (_, reply) => void pay(reply) }, ...behind },
  'await reply': {
    async answer(_, reply, seen) {
      reply.send({ first: 1 })
      await reply
      seen.push(`answered: ${reply.sent && reply.raw.writableEnded}`)
    },
  },
  'a stream': { answer: async () => Readable.from(['first ', 'and last']) },
  'a stream, with return': {
    answer: async (_, reply) => reply.type('text/plain').send(Readable.from(['first'])),
  },
  'a stream, without return': {
    like: 'a stream, with return',
    answer: async (_, reply) => void reply.type('text/plain').send(Readable.from(['first'])),
  },
  'a stream, then something else': {
    like: 'a stream, with return',
    logs: ['FST_ERR_REP_ALREADY_SENT'],
    async answer(_, reply) {
      reply.type('text/plain').send(Readable.from(['first']))
      return { second: 2 }
    },
  },
  'a stream that fails at once': { answer: async () => failing() },
  'a stream that has failed': { answer: async () => new Readable({ read() {} }).destroy(refusal) },
  'a stream that has failed, without return': {
    like: 'a stream that has failed',
    answer: async (_, reply) => void reply.send(new Readable({ read() {} }).destroy(refusal)),
  },
  'a stream that is closed': { answer: async () => new Readable({ read() {} }).destroy() },
  'a stream that is closed, without return': {
    like: 'a stream that is closed',
    answer: async (_, reply) => void reply.send(new Readable({ read() {} }).destroy()),
  },
  'a stream that fails on its way': { answer: async () => failingLate() },
  'a missing file': { answer: async () => createReadStream('/nowhere/no-such-file') },
  'a missing file, without return': {
    like: 'a missing file',
    answer: async (_, reply) => void reply.send(createReadStream('/nowhere/no-such-file')),
  },
  'a stream of the web': { answer: async () => new Response('first').body },
  'a Response': {
    answer: async () =>
      new Response('first', { status: 203, headers: { 'x-first': 'yes', 'cache-control': 'public' } }),
  },
  'a Response, with return': { answer: async (_, reply) => reply.send(new Response('first')) },
  'a Response, without return': {
    like: 'a Response, with return',
    answer: async (_, reply) => void reply.send(new Response('first')),
  },
  'a Response that was consumed': { answer: () => consumed() },
  'a Response that was consumed, without return': {
    answer: async (_, reply) => void reply.send(await consumed()),
  },
  'a buffer': { answer: async () => Buffer.from('first') },
  'a typed array, without return': {
    answer: async (_, reply) => void reply.send(Uint8Array.from([0x66, 0x69])),
  },
  'what JSON has no form for': { answer: async () => circular() },
  'what JSON has no form for, without return': { answer: async (_, reply) => void reply.send(circular()) },
  'what the serializer refuses': {
    options: {
      serializerCompiler: () => () => {
        throw new Error('refused')
      },
      schema: { response: { 200: {} } },
    },
    answer: async (_, reply) => void reply.send({ first: 1 }),
  },
  'an object that is said to be text': { answer: async (_, reply) => void reply.type('text/html').send({}) },
  'a header that Node refuses': {
    headless: true,
    pageless: true,
    answer: async (_, reply) => void reply.header('x-bad', 'a\nb').send('first'),
  },
  HEAD: { method: 'HEAD', answer: async () => ({ first: 1 }) },
  'HEAD, without return': { method: 'HEAD', answer: async (_, reply) => void reply.send('first') },
  '204': { answer: async (_, reply) => void reply.code(204).send() },
  '204, with a body': { answer: async (_, reply) => void reply.code(204).send('none') },
  '304': { answer: async (_, reply) => void reply.code(304).header('etag', '"1"').send() },
  trailers: {
    pageless: true,
    answer: async (_, reply) => void reply.trailer('x-sum', (_r, _p, done) => done(null, '1')).send('first'),
  },
  handlerTimeout: {
    options: { handlerTimeout: HANDLER_TIMEOUT },
    async answer(request, reply) {
      await outlastTimeout(request)
      await ticks(3)
      reply.send('too late')
    },
  },
  'handlerTimeout, then something': {
    options: { handlerTimeout: HANDLER_TIMEOUT },
    async answer(request) {
      await outlastTimeout(request)
      return { second: 2 }
    },
  },
  'hijack, and raw': {
    raw: true,
    async answer(_, reply) {
      reply.hijack()
      reply.raw.writeHead(200, { ...reply.getHeaders(), 'x-first': 'yes' } as Record<string, string>)
      reply.raw.end('first')
    },
  },
  'raw, without hijack': {
    raw: true,
    async answer(_, reply) {
      for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '')
      reply.raw.end('first')
    },
  },
}
