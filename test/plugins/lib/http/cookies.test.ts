import { isDeepStrictEqual } from 'node:util'
import fastifyCookie from '@fastify/cookie'
import fc from 'fast-check'
import Fastify from 'fastify'
import t from 'tap'
import {
  type CookieSpec,
  clearCookie,
  cookieSpec,
  readCookie,
  removeCookie,
  setCookie,
  useCookieSerializer,
} from '../../../../plugins/lib/http/cookies.js'

const ABSENT = { kind: 'absent' }
const DOUBLED = { kind: 'doubled' }
const one = (value: string) => ({ kind: 'one', value })

t.test('readCookie', async (t) => {
  const others = Array.from({ length: 100 }, (_, index) => `other${index}=identity${index}`)
  const rows: [what: string, header: string | undefined, reading: object][] = [
    ['no header', undefined, ABSENT],
    ['an empty header', '', ABSENT],
    ['another cookie', 'session=1', ABSENT],
    ['one', 'identity=v', one('v')],
    ['one with an empty value', 'identity=', one('')],
    ['one with an empty value before another', 'identity=; a=1', one('')],
    ['one with blanks for a value', 'identity= \t ; a=1', one('')],
    ['first of two', 'identity=v; a=1', one('v')],
    ['last of two', 'a=1; identity=v', one('v')],
    ['without a space between the pairs', 'a=1;identity=v;b=2', one('v')],
    ['with spaces and tabs around name and value', 'a=1 ; \t identity \t=\t v \t; b=2', one('v')],
    ['blanks inside the value stay', 'identity=v w', one('v w')],
    ['a value with = in it', 'identity=v=w==', one('v=w==')],
    ['a value with a comma', 'identity=v,w', one('v,w')],
    ['quotes stay: they are no part of what was set', 'identity="v"', one('"v"')],
    ['%-encoding stays', 'identity=%76%3D', one('%76%3D')],
    ['one among a hundred others', [...others, 'identity=v', ...others].join('; '), one('v')],
    ['none among a hundred others', others.join('; '), ABSENT],
    ['semicolons without pairs', ';;identity=v;;', one('v')],
    ['semicolons alone', ';;;', ABSENT],
    ['a trailing semicolon', 'identity=v;', one('v')],
    ['a trailing semicolon and a space', 'identity=v; ', one('v')],
    ['a leading semicolon', '; identity=v', one('v')],
    ['a name without =', 'identity', ABSENT],
    ['a name without = before another pair', 'identity; a=1', ABSENT],
    ['a name without = beside the cookie', 'identity; identity=v', one('v')],
    ['an empty name', '=identity', ABSENT],
    ['an empty name whose value reads like a pair', '=identity=v', ABSENT],
    ['the name at the end of another', 'xidentity=v', ABSENT],
    ['the name at the start of another', 'identityx=v', ABSENT],
    ['the name behind another prefix', '__Host-identity=v; __Secure-identity=w', ABSENT],
    ['the name inside another value', 'a=identity=v', ABSENT],
    ['the name inside another value, after a blank', 'a= identity=v', ABSENT],
    ['the name inside another value, after a comma', 'a=1, identity=v', ABSENT],
    ['the name inside a quoted value', 'a="; b="1, identity=v"', ABSENT],
    ['a quoted value with a semicolon ends there', 'a="1; identity=v"', one('v"')],
    ['another case', 'Identity=v; IDENTITY=w', ABSENT],
    ['another case beside it is another cookie', 'Identity=w; identity=v', one('v')],
    ['a %-encoded name', '%69dentity=v', ABSENT],
    ['a quoted name', '"identity"=v', ABSENT],
    ['two', 'identity=v; identity=w', DOUBLED],
    ['two that are equal', 'identity=v; identity=v', DOUBLED],
    ['two, one of them empty', 'identity=; identity=v', DOUBLED],
    ['two, the other one empty', 'identity=v; identity=', DOUBLED],
    ['two, far apart', ['identity=v', ...others, 'identity=w'].join('; '), DOUBLED],
    ['two, one with blanks', 'identity=v;identity =w', DOUBLED],
    ['three', 'identity=1; identity=2; identity=3', DOUBLED],
  ]
  for (const [what, header, reading] of rows) t.strictSame(readCookie(header, 'identity'), reading, what)
})

t.test('a cookie whose name has more than spaces and tabs around it is another cookie', async (t) => {
  // Latin-1, as Node hands out a header: the UTF-8 of what `String.trim` would take away.
  for (const blank of ['\u00a0', '\v', '\f', '\ufeff', '\u2003', '\u0085', '\u00e2\u0080\u0083', '\0']) {
    const what = JSON.stringify(blank)
    t.strictSame(readCookie(`${blank}__Host-identity=forged`, '__Host-identity'), ABSENT, `${what} before`)
    t.strictSame(readCookie(`__Host-identity${blank}=forged`, '__Host-identity'), ABSENT, `${what} after`)
    const both = `${blank}__Host-identity=forged; __Host-identity=v`
    t.strictSame(readCookie(both, '__Host-identity'), one('v'), `${what}: it cannot double ours either`)
    t.strictSame(readCookie(`a=${blank}v${blank}`, 'a'), one(`${blank}v${blank}`), `${what}: values keep it`)
  }
})

/** Small and repeatable. */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

t.test('on generated headers it reads what the cookie package reads, but for doubles', async (t) => {
  const app = Fastify()
  await app.register(fastifyCookie)
  const random = createRandom(20260101)
  const pieces = [
    'id',
    'id',
    'id',
    '=',
    '=',
    ';',
    ';',
    '; ',
    ' ',
    '\t',
    'x',
    'a=1',
    '; id=1',
    '; id=2',
    ';id=',
    '"',
    ',',
    '',
    'ID',
    '__proto__',
  ]
  const seen = { absent: 0, one: 0, doubled: 0 }
  const wrong: string[] = []
  for (let round = 0; round < 30_000; round += 1) {
    const header = Array.from({ length: random(14) }, () => pieces[random(pieces.length)]).join('')
    const reading = readCookie(header, 'id')
    const theirs = app.parseCookie(header).id
    const pairs = header.split(';').filter((pair) => /^[ \t]*id[ \t]*=/.test(pair)).length
    const kind = pairs === 0 ? 'absent' : pairs === 1 ? 'one' : 'doubled'
    seen[reading.kind] += 1
    if (reading.kind !== kind) wrong.push(`${JSON.stringify(header)}: ${reading.kind}, not ${kind}`)
    if (reading.kind === 'one' && reading.value !== theirs) wrong.push(JSON.stringify(header))
    if (reading.kind === 'absent' && theirs !== undefined) wrong.push(JSON.stringify(header))
  }
  t.same(wrong, [])
  for (const [kind, count] of Object.entries(seen)) t.ok(count > 500, `${kind}: ${count}`)
})

/** What the header holds under a name, by looking at all of it. */
function readLongWay(header: string, name: string) {
  const trim = (text: string) => text.replace(/^[ \t]+|[ \t]+$/g, '')
  const values = header.split(';').flatMap((pair) => {
    const equals = pair.indexOf('=')
    return equals !== -1 && trim(pair.slice(0, equals)) === name ? [trim(pair.slice(equals + 1))] : []
  })
  const [value] = values
  if (value === undefined) return ABSENT
  return values.length === 1 ? one(value) : DOUBLED
}

t.test('for any name and header, it reads what is found by parsing all of the header', async (t) => {
  const parser = Fastify()
  await parser.register(fastifyCookie)
  const names = [
    '__Host-identity',
    '__Host-session',
    'identity',
    'session',
    'a',
    'aa',
    'aba',
    'a.a',
    '__proto__',
  ]
  const seen = new Map<string, number>()
  const header = (name: string) => {
    const parts = [name, name, '=', '=', ';', '; ', ' ', '\t', '"', ',', 'a', 'b', '.', '-', '__Host-']
    const part = fc.constantFrom(...parts)
    const odd = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      maxLength: 6,
    })
    const pair = fc
      .tuple(fc.constantFrom(name, name, `${name}x`, `x${name}`, 'other'), fc.string({ maxLength: 12 }))
      .map(([n, v]) => `${n}=${v}`)
    const pieces = fc.array(fc.oneof({ weight: 4, arbitrary: part }, odd, { weight: 2, arbitrary: pair }), {
      maxLength: 16,
    })
    return fc.tuple(pieces, fc.constantFrom('', ';', '; ')).map(([list, between]) => list.join(between))
  }
  const input = fc.constantFrom(...names).chain((name) => fc.tuple(fc.constant(name), header(name)))
  fc.assert(
    fc.property(input, ([name, text]) => {
      const reading = readCookie(text, name)
      seen.set(reading.kind, (seen.get(reading.kind) ?? 0) + 1)
      if (!isDeepStrictEqual(reading, readLongWay(text, name))) return false
      // The cookie package %-decodes, and takes the first of two.
      if (text.includes('%') || reading.kind === 'doubled') return true
      return parser.parseCookie(text)[name] === (reading.kind === 'one' ? reading.value : undefined)
    }),
    { numRuns: 20_000, seed: 20260102 },
  )
  for (const kind of ['absent', 'one', 'doubled'])
    t.ok((seen.get(kind) ?? 0) > 500, `${kind}: ${seen.get(kind)}`)
})

t.test('a header of the largest size takes no noticeable time', async (t) => {
  const headers = [
    `identity${';'.repeat(16_000)}`,
    'identity '.repeat(1800),
    ' '.repeat(16_000),
    `identity=${' '.repeat(16_000)}x`,
  ]
  const start = process.cpuUsage()
  for (const header of headers) readCookie(header, 'identity')
  t.ok(process.cpuUsage(start).user < 1_000_000, 'microseconds of this process, however busy the machine is')
})

t.test('cookieSpec', async (t) => {
  t.test('a secure cookie has the __Host- prefix and what that demands', async (t) => {
    const spec = cookieSpec('identity', true)
    t.same(spec, {
      name: '__Host-identity',
      attributes: { httpOnly: true, sameSite: 'lax', path: '/', secure: true },
    })
    t.ok(Object.isFrozen(spec) && Object.isFrozen(spec.attributes))
  })

  t.test('one that is not secure has neither', async (t) => {
    t.match(cookieSpec('identity', false), { name: 'identity', attributes: { secure: false } })
  })

  t.test('a name that a browser would not keep, or that promises too much, is refused', async (t) => {
    const names = [
      '',
      ' ',
      'a b',
      'a=b',
      'a;b',
      'a,b',
      'ä',
      'a\n',
      '"a"',
      '__Host-a',
      '__host-a',
      '__Secure-a',
      '__Http-a',
      'x'.repeat(65),
    ]
    for (const name of names) {
      for (const secure of [true, false]) {
        t.throws(() => cookieSpec(name, secure), { code: 'OPTION_INVALID', message: /option name/ }, name)
      }
    }
    for (const name of ['identity', 'my-app_session.1', 'x'.repeat(64), '__Hos-a'])
      t.ok(cookieSpec(name, true), name)
  })

  t.test('secure is true or false, never a guess', async (t) => {
    const guesses: unknown[] = ['auto', 'true', 1, undefined, null]
    for (const secure of guesses) {
      t.throws(
        () => cookieSpec('a', secure as boolean),
        { code: 'OPTION_INVALID', message: /secure/ },
        String(secure),
      )
    }
  })
})

/** An app whose routes set and clear one cookie, beside whatever defaults the application has. */
async function makeApp(spec: CookieSpec, parseOptions = {}) {
  const app = Fastify()
  await app.register(fastifyCookie, { secret: 'the application’s own', parseOptions })
  await useCookieSerializer(app)
  app.get('/set', async (_request, reply) => setCookie(reply, spec, 'v1.a-b_c.d'))
  app.get('/remember', async (_request, reply) => setCookie(reply, spec, 'v1.a-b_c.d', 3600))
  app.get('/clear', async (_request, reply) => clearCookie(reply, spec))
  app.get('/forget', async (request, reply) => removeCookie(request, reply, spec))
  return async (url: string, headers = {}) => (await app.inject({ url, headers })).headers['set-cookie']
}

const DEFAULTS = {
  domain: 'example.com',
  path: '/elsewhere',
  sameSite: 'none',
  secure: false,
  httpOnly: false,
  signed: true,
  maxAge: 1,
  expires: new Date(0),
  partitioned: true,
  priority: 'high',
  encode: () => 'garbled',
}

for (const [what, parseOptions] of [
  ['alone', {}],
  ['beside an application’s own defaults', DEFAULTS],
] as const) {
  t.test(`${what}, a cookie is set with our attributes and cleared with the same`, async (t) => {
    const get = await makeApp(cookieSpec('identity', true), parseOptions)
    const rest = 'Path=/; HttpOnly; Secure; SameSite=Lax'
    t.equal(await get('/set'), `__Host-identity=v1.a-b_c.d; ${rest}`, 'it ends with the browser')
    t.equal(await get('/remember'), `__Host-identity=v1.a-b_c.d; Max-Age=3600; ${rest}`)
    const cleared = String(await get('/clear'))
    t.match(cleared, /^__Host-identity=; .*Path=\/;.* Expires=Thu, 01 Jan 1970 /)
    for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Lax']) t.match(cleared, `; ${attribute}`)
    t.notMatch(cleared, 'Domain')
  })
}

t.test('without secure, nothing promises it', async (t) => {
  const get = await makeApp(cookieSpec('identity', false))
  t.equal(await get('/set'), 'identity=v1.a-b_c.d; Path=/; HttpOnly; SameSite=Lax')
  t.notMatch(await get('/clear'), /secure/i)
})

t.test('a cookie is taken back from whoever sent it, and from nobody else', async (t) => {
  const get = await makeApp(cookieSpec('identity', false))
  t.equal(await get('/forget'), undefined)
  t.equal(await get('/forget', { cookie: 'Identity=v; xidentity=v; a=identity' }), undefined)
  for (const cookie of ['identity=v', 'identity=', 'identity=junk', 'identity=v; identity=w']) {
    t.match(await get('/forget', { cookie }), /^identity=; /, cookie)
  }
})

t.test('a line of ours takes the place of the earlier one, and leaves every other', async (t) => {
  const app = Fastify()
  await useCookieSerializer(app)
  const spec = cookieSpec('identity', false)
  const others = ['xidentity=1; Path=/', 'identityx=2; Path=/', 'theme=identity=3; Path=/', 'Identity=4']
  app.get('/twice', async (_request, reply) => {
    setCookie(reply, spec, 'first', 60)
    setCookie(reply, spec, 'second')
  })
  app.get('/cleared', async (_request, reply) => {
    setCookie(reply, spec, 'first')
    clearCookie(reply, spec)
  })
  app.get('/other', async (_request, reply) => {
    reply.header('set-cookie', 'theme=dark')
    setCookie(reply, spec, 'first')
    clearCookie(reply, spec)
    setCookie(reply, spec, 'second')
  })
  app.get('/others', async (_request, reply) => {
    setCookie(reply, spec, 'first')
    reply.header('set-cookie', others)
    setCookie(reply, cookieSpec('second', false), 'one')
    setCookie(reply, spec, 'second')
  })
  app.get('/raw', async (_request, reply) => {
    reply.raw.setHeader('set-cookie', ['theme=dark'])
    setCookie(reply, spec, 'first')
  })
  const rest = 'Path=/; HttpOnly; SameSite=Lax'
  const get = async (url: string) => (await app.inject({ url })).headers['set-cookie']
  t.equal(await get('/twice'), `identity=second; ${rest}`)
  t.match(await get('/cleared'), /^identity=; Max-Age=0; /)
  for (let i = 0; i < 2; i++) {
    t.strictSame(await get('/other'), ['theme=dark', `identity=second; ${rest}`])
    t.strictSame(await get('/others'), [...others, `second=one; ${rest}`, `identity=second; ${rest}`])
    t.strictSame(await get('/raw'), ['theme=dark', `identity=first; ${rest}`])
  }
})
