import { once } from 'node:events'
import { createConnection } from 'node:net'
import { text } from 'node:stream/consumers'
import Fastify from 'fastify'
import t from 'tap'
import { readBearer } from '../../../../plugins/lib/http/bearer.js'

function bearerApp() {
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.get('/', async (request) => ({ token: readBearer(request) }))
  return app
}

const TOKENS = {
  'Bearer abc': 'abc',
  'bearer abc': 'abc',
  'BEARER a.b-c_d~e+f/g==': 'a.b-c_d~e+f/g==',
}
const ABSENT = [
  '',
  'Basic YTpi',
  'Bearerx abc',
  'Bearer-x abc',
  'Bearer_ abc',
  'Basic a, Bearer abc',
  'abc',
  ',',
]
const AMBIGUOUS = [
  'Bearer',
  'bearer',
  'Bearer ',
  'Bearer  abc',
  'Bearer\tabc',
  'Bearer \tabc',
  'Bearer abc ',
  'Bearer abc\t',
  'Bearer abc def',
  'Bearer abc,',
  'Bearer abc, Bearer def',
  'Bearer abc, Basic def',
  'Bearer abc;x=y',
  'Bearer "abc"',
  'Bearer a=b',
  'Bearer =',
  'Bearer ab%20c',
  'Bearer,abc',
  'Bearer:abc',
  'Bearer=abc',
  'Bearer/abc',
  'Bearer realm="x"',
  'Bearer \u00e9',
]

t.test('a header in the one right form gives the token', async (t) => {
  const app = bearerApp()
  for (const [authorization, token] of Object.entries(TOKENS)) {
    t.same((await app.inject({ url: '/', headers: { authorization } })).json(), { token }, authorization)
  }
})

t.test('no header, an empty one, and any other scheme are no credential', async (t) => {
  const app = bearerApp()
  t.same((await app.inject('/')).json(), { token: null })
  for (const authorization of ABSENT) {
    t.same(
      (await app.inject({ url: '/', headers: { authorization } })).json(),
      { token: null },
      authorization,
    )
  }
})

t.test('Bearer in any other form is refused with 400 CREDENTIAL_AMBIGUOUS', async (t) => {
  const app = bearerApp()
  for (const authorization of AMBIGUOUS) {
    const answer = await app.inject({ url: '/', headers: { authorization } })
    t.equal(answer.statusCode, 400, authorization)
    t.equal(answer.json().code, 'CREDENTIAL_AMBIGUOUS', authorization)
    t.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_request"', authorization)
  }
})

async function ask(port: number, lines: readonly string[]): Promise<{ status: number; body: string }> {
  const socket = createConnection(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.end(['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...lines, '', ''].join('\r\n'), 'latin1')
  const answer = await text(socket)
  return { status: Number(answer.slice(9, 12)), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) }
}

t.test('over a real socket', async (t) => {
  const app = bearerApp()
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address()
  const port = typeof address === 'object' && address ? address.port : 0

  t.test('two Authorization lines are refused, whatever they say', async (t) => {
    const pairs = [
      ['Bearer abc', 'Bearer abc'],
      ['Bearer abc', 'Bearer def'],
      ['Basic YTpi', 'Bearer abc'],
      ['Bearer abc', 'Basic YTpi'],
      ['Basic YTpi', 'Basic YTpi'],
      ['', 'Bearer abc'],
      ['Bearer abc', ''],
      ['', ''],
    ]
    for (const [first, second] of pairs) {
      const { status, body } = await ask(port, [
        `Authorization: ${first}`,
        'X-A: b',
        `aUTHORIZATION: ${second}`,
      ])
      t.equal(status, 400, `${first} | ${second}`)
      t.match(body, 'CREDENTIAL_AMBIGUOUS')
    }
  })

  t.test(
    'white space around the value is the parser’s to remove, white space inside is refused',
    async (t) => {
      for (const value of ['Bearer abc ', ' Bearer abc', '\tBearer abc\t ', 'Bearer abc\t']) {
        t.same(await ask(port, [`Authorization:${value}`]), { status: 200, body: '{"token":"abc"}' })
      }
      for (const value of ['Bearer ', 'Bearer\t', 'Bearer  abc', 'Bearer\tabc', 'Bearer \xe9']) {
        const { status, body } = await ask(port, [`Authorization:${value}`])
        t.equal(status, 400, JSON.stringify(value))
        t.match(body, 'CREDENTIAL_AMBIGUOUS')
      }
    },
  )

  t.test('another header with a similar name is not counted', async (t) => {
    const lines = ['Authorization: Bearer abc', 'Authorizatiom: Bearer x', 'Proxy-Authorization: Bearer y']
    t.equal((await ask(port, lines)).body, '{"token":"abc"}')
  })
})
