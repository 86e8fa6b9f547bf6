import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Test, test } from 'tap'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { makeGate } from '../helpers/session-app.js'
import {
  ALICE,
  buildSuite,
  cookieHeader,
  cookieMode,
  faultyStore,
  sessionMode,
  tokenMode,
} from '../helpers/suite.js'
import { ticks } from '../helpers/ways-of-answering.js'

const MODES = ['cookie', 'session', 'token'] as const

/** An application that answers by itself, and its log. */
async function start(t: Test, routes: (app: FastifyInstance) => unknown) {
  const warned: string[] = []
  const stream = { write: (line: string) => void warned.push(JSON.parse(line).msg) }
  const faulty = faultyStore(createMemoryStore(), { promises: true })
  const suite = await buildSuite(t, {
    modes: [tokenMode(), sessionMode(), cookieMode()],
    store: faulty.store,
    server: { logger: { level: 'warn', stream } },
    routes,
  })
  return { ...suite, ...faulty, warned }
}

function answerRaw(reply: FastifyReply): void {
  reply.hijack()
  reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>)
  reply.raw.end('raw')
}

test('what was awaited is in the headers of a hijacked reply, and what ended is not', async (t) => {
  const { app, me } = await start(t, (app) => {
    const used = { onRequest: app.useSession }
    app.get('/cookie', async (request, reply) => {
      await request.signIn('cookie', ALICE)
      answerRaw(reply)
    })
    app.get('/session', async (request, reply) => {
      await request.signIn('session', ALICE)
      answerRaw(reply)
    })
    app.get('/destroyed', used, async (request, reply) => {
      await request.signIn('session', ALICE)
      await request.session.destroy()
      answerRaw(reply)
    })
    app.get('/regenerated', used, async (request, reply) => {
      request.session.cart = ['first']
      await request.session.save()
      await request.session.regenerate(['cart'])
      answerRaw(reply)
    })
    app.get('/signed-out', async (request, reply) => {
      await request.signIn('cookie', ALICE)
      await request.signOut('cookie')
      answerRaw(reply)
    })
    app.get('/cart', used, async (request) => request.session.cart)
  })
  for (const path of ['/cookie', '/session']) {
    const { cookies, body } = await app.inject(path)
    t.equal(body, 'raw')
    t.equal(cookies.length, 1, path)
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
    t.equal((await me({ cookie })).statusCode, 200, path)
  }
  t.strictSame(
    (await app.inject('/destroyed')).cookies.filter(({ value }) => value !== ''),
    [],
  )
  t.strictSame((await app.inject('/signed-out')).cookies, [])
  const [held] = (await app.inject('/regenerated')).cookies
  const cart = await app.inject({ url: '/cart', headers: { cookie: `session=${held?.value}` } })
  t.strictSame(cart.json(), ['first'])
})

test('a sign-in that ends before its answer is not handed over', async (t) => {
  const { app, store, failing } = await start(t, (app) => {
    for (const mode of ['cookie', 'session'] as const) {
      app.get(`/ended/${mode}`, async (request) => {
        await request.signIn(mode, ALICE)
        await app.signIns.endAll(ALICE.id)
      })
      app.get(`/unknown/${mode}`, async (request) => {
        await request.signIn(mode, ALICE)
        failing.add('isLive')
      })
    }
  })
  for (const mode of ['cookie', 'session']) {
    const { statusCode, cookies } = await app.inject(`/ended/${mode}`)
    t.strictSame([statusCode, cookies], [200, []], mode)
    const unknown = await app.inject(`/unknown/${mode}`)
    failing.clear()
    t.strictSame([unknown.statusCode, unknown.cookies.length], [200, 1], `${mode}: the store cannot say`)
  }
  t.ok(store)
})

test('nor is it by a hijacked reply, where that is known without asking', async (t) => {
  const { app } = await buildSuite(t, {
    modes: [sessionMode(), cookieMode()],
    routes(app) {
      for (const mode of ['cookie', 'session'] as const) {
        app.get(`/${mode}`, async (request, reply) => {
          await request.signIn(mode, ALICE)
          await app.signIns.endAll(ALICE.id)
          answerRaw(reply)
        })
      }
    },
  })
  for (const mode of ['cookie', 'session']) {
    const { body, cookies } = await app.inject(`/${mode}`)
    t.strictSame([body, cookies], ['raw', []], mode)
  }
})

test('data that is changed and never saved is a warning, once a route', async (t) => {
  const { app, warned } = await start(t, (app) => {
    const used = { onRequest: app.useSession }
    for (const path of ['/lost', '/lost-too', '/lost-odd']) {
      app.get(path, used, async (request, reply) => {
        Object.assign(request.session, path === '/lost-odd' ? { cart: 1n } : { cart: ['first'] })
        answerRaw(reply)
      })
    }
    app.get('/saved', used, async (request, reply) => {
      request.session.cart = ['first']
      await request.session.save()
      answerRaw(reply)
    })
    app.get('/unchanged', used, async (_, reply) => answerRaw(reply))
    app.get('/fastify', used, async (request) => {
      request.session.cart = ['first']
    })
    app.get('/hung-up', used, async (request, reply) => {
      request.session.cart = ['first']
      reply.raw.destroy()
      reply.hijack()
    })
  })
  for (const path of [
    '/lost',
    '/lost',
    '/lost-too',
    '/lost-odd',
    '/saved',
    '/unchanged',
    '/fastify',
    '/hung-up',
  ]) {
    await app.inject(path).catch(() => {})
    await ticks(2)
  }
  t.equal(warned.length, 3)
  t.match(warned, [/^GET \/lost changed/, /^GET \/lost-too changed/, /^GET \/lost-odd changed/])
})

test('a call that nobody awaited is a warning that names it', async (t) => {
  const calls: Promise<unknown>[] = []
  const { app, warned } = await start(t, (app) => {
    for (const mode of MODES) {
      app.get(`/in/${mode}`, async (request) => {
        calls.push(request.signIn(mode, ALICE))
        return 'too early'
      })
      app.get(`/out/${mode}`, async (request, reply) => {
        calls.push(request.signOut(mode))
        reply.hijack()
        reply.raw.end('too early')
      })
      app.get(`/late/${mode}`, async (request, reply) => {
        const gate = makeGate()
        reply.raw.once('close', gate.open)
        reply.send('answered')
        await gate.opened
        calls.push(request.signIn(mode, ALICE))
      })
      app.get(`/awaited/${mode}`, async (request) => request.signIn(mode, ALICE))
    }
  })
  for (const mode of MODES) {
    for (const [path, call] of [
      [`/in/${mode}`, `request.signIn('${mode}')`],
      [`/out/${mode}`, `request.signOut('${mode}')`],
      [`/late/${mode}`, `request.signIn('${mode}')`],
    ] as const) {
      await app.inject(path)
      await ticks(5)
      await Promise.all(calls)
      const [line = '', ...more] = warned.splice(0)
      t.ok(line.startsWith(`${call} was under way when GET ${path} answered`), line)
      t.strictSame(more, [])
    }
    t.equal((await app.inject(`/awaited/${mode}`)).statusCode, 200)
    t.strictSame(warned, [])
  }
})

test('a sign-in ends by what the same request does after it', async (t) => {
  const { app, me, signIn, warned } = await start(t, (app) => {
    for (const mode of MODES) {
      app.get(`/in-and-out/${mode}`, async (request) => {
        await request.signIn(mode, ALICE)
        const ended = await request.signOut(mode)
        return { ended, again: await request.signOut(mode), live: await app.signIns.list(ALICE.id) }
      })
      const twice = async (request: FastifyRequest) => {
        await request.signIn(mode, ALICE)
        await request.signIn(mode, ALICE)
        return app.signIns.list(ALICE.id)
      }
      app.get(`/twice/${mode}`, twice)
      app.get(`/twice-used/${mode}`, { onRequest: app.useSession }, twice)
    }
    app.get('/in-and-out/cart', { onRequest: app.useSession }, async (request) => {
      await request.signIn('session', ALICE)
      request.session.cart = ['first']
      const ended = await request.signOut('session')
      return { ended, again: request.session !== null, live: await app.signIns.list(ALICE.id) }
    })
  })
  for (const mode of [...MODES, 'cart']) {
    const answer = await app.inject(`/in-and-out/${mode}`)
    t.strictSame(answer.json(), { ended: true, again: false, live: [] }, mode)
    t.strictSame(answer.cookies, [], mode)
  }
  for (const mode of MODES) {
    const before = await signIn(mode)
    const { token } = before.json().issued
    const headers = mode === 'token' ? { authorization: `Bearer ${token}` } : cookieHeader(before)
    const { json, cookies } = await app.inject({ url: `/in-and-out/${mode}`, headers })
    t.same(json().live, [], `${mode}: the one that came, too`)
    t.ok(
      cookies.every(({ value }) => value === ''),
      `${mode}: cleared`,
    )
  }
  for (const path of MODES.flatMap((mode) => [`/twice/${mode}`, `/twice-used/${mode}`])) {
    const answer = await app.inject(path)
    const isToken = path.endsWith('token')
    t.equal(answer.json().length, isToken ? 2 : 1, `${path}: no browser holds two`)
    if (!isToken) t.equal((await me(cookieHeader(answer))).statusCode, 200, `${path}: it holds the second`)
    await app.signIns.endAll(ALICE.id)
  }
  t.strictSame(warned, [])
})

test('one that cannot be ended stays in the answer, and ends with the next call', async (t) => {
  const { app, failing } = await start(t, (app) => {
    for (const mode of ['cookie', 'session'] as const) {
      app.get(`/retried/${mode}`, async (request) => {
        await request.signIn(mode, ALICE)
        failing.add('endSignIn')
        const code = await request.signOut(mode).catch((error) => error.code)
        failing.clear()
        return { code, ended: await request.signOut(mode), live: await app.signIns.list(ALICE.id) }
      })
    }
  })
  for (const mode of ['cookie', 'session']) {
    const { json, cookies } = await app.inject(`/retried/${mode}`)
    t.strictSame([json(), cookies], [{ code: 'STORE_UNAVAILABLE', ended: true, live: [] }, []], mode)
  }
})
