import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { Compile } from 'typebox/compile'
import * as suite from '../../plugins/lib/errors.js'
import * as own from '../../routes/http/errors.js'
import { STATUSES } from '../../routes/openapi/failures.js'
import { codeAt } from '../helpers/factor-center.js'
import { ADMIN, MODES, post, refusedByCenter, signIn, USER, userInfo } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

interface Media {
  readonly schema: object
  readonly example?: { readonly msg?: string }
  readonly examples?: Record<string, { value: object }>
}
interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly security: readonly object[]
  readonly requestBody?: { readonly required: boolean; readonly content: Record<string, Media> }
  readonly responses: Record<string, { readonly content?: Record<string, Media> }>
}
interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly securitySchemes: Record<string, { readonly name?: string }> }
}

async function start(t: Test, env: Record<string, string> = {}) {
  const { app, clock } = await startUserCenter(t, env)
  const document: Document = (await app.inject('/docs/json')).json()
  return { app, clock, document }
}

const operationsOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
      operation,
    })),
  )

t.test('the document is valid OpenAPI 3.1', async (t) => {
  const { document } = await start(t)
  t.match(document.openapi, /^3\.1\./)
  const { valid, errors } = await new Validator().validate({ ...document })
  t.ok(valid, JSON.stringify(errors))
})

/** Every rule that its makers recommend, each of them as an error; with examples held against their schemas. */
async function lint(document: object): Promise<string[]> {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      'no-invalid-media-type-examples': 'error',
      'no-invalid-schema-examples': 'error',
      'operation-operationId-unique': 'error',
      // What anybody may ask in only one way has nothing to refuse.
      'operation-4xx-response': 'off',
    },
  })
  const source = JSON.stringify(document)
  const found = await lintFromString({ source, absoluteRef: 'openapi.json', config })
  return found.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ''}`)
}

t.test('a linter finds nothing in it', async (t) => {
  const { document } = await start(t)
  t.same(await lint(document), [])
  const paths = structuredClone(document.paths)
  for (const media of Object.values(paths['/user_info']?.get?.responses[200]?.content ?? {}))
    Object.assign(media.example ?? {}, { code: 'two hundred' })
  t.match(await lint({ ...document, paths }), [/^no-invalid-media-type-examples/], 'it looks at examples too')
})

t.test('there is an example of everything that is sent and answered', async (t) => {
  const { document } = await start(t)
  for (const { name, operation } of operationsOf(document)) {
    const { responses, requestBody } = operation
    const content = [...Object.values(responses), ...(requestBody ? [requestBody] : [])].map(
      (each) => each.content,
    )
    for (const media of content.flatMap((each) => Object.values(each ?? {})))
      t.ok(media.example ?? media.examples, name)
  }
  const { requestBody } = document.paths['/logout_token']?.post ?? {}
  t.equal(requestBody?.required, false, 'an access token alone will do')
  t.equal(document.paths['/login_token']?.post?.requestBody?.required, true)
})

t.test('it holds every route of the API and no other, each under a name of its own', async (t) => {
  const { app, document } = await start(t)
  const operations = operationsOf(document)
  t.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length)
  for (const { name, operation } of operations) t.ok(operation.summary, name)
  for (const { name } of operations) {
    const [method = '', url = ''] = name.split(' ')
    t.ok(app.hasRoute({ method: method as 'GET', url }), name)
  }
})

t.test('no route of the application is missing from it', async (t) => {
  const { app, document } = await start(t)
  const documented = new Set(operationsOf(document).map(({ name }) => name))
  const tree = app.printRoutes({ commonPrefix: false, includeHooks: false })
  const paths: string[] = []
  const trail: string[] = []
  for (const line of tree.split('\n')) {
    const [, indent = '', segment = '', methods] = /^([ │]*)[└├]── (\S+)(?: \((.+)\))?/.exec(line) ?? []
    if (!segment) continue
    trail.length = indent.length / 4
    trail.push(segment)
    for (const method of methods?.split(', ') ?? []) paths.push(`${method} ${trail.join('')}`)
  }
  const undocumented = paths.filter(
    (path) =>
      !/^HEAD |^OPTIONS | \/docs| \/lab| \/guide\/| \/$| \/page\/| \/(forgotten|address)$/.test(path) &&
      !documented.has(path),
  )
  t.same(undocumented, [])
})

t.test('each mode has a security scheme, with the name that its cookie has', async (t) => {
  const { document } = await start(t)
  const { securitySchemes } = document.components
  t.same(Object.keys(securitySchemes).sort(), ['api_key', 'bound_token', ...MODES].sort())
  t.equal(securitySchemes.session?.name, 'session')
  const secure = await start(t, { COOKIE_SECURE: 'true' })
  t.equal(secure.document.components.securitySchemes.cookie?.name, '__Host-identity')
  const renamed = await start(t, { COOKIE_NAME: 'center', SESSION_NAME: 'sid', COOKIE_SECURE: 'true' })
  const { cookie, session } = renamed.document.components.securitySchemes
  t.same([cookie?.name, session?.name], ['__Host-center', '__Host-sid'])
  for (const { name, operation } of operationsOf(document)) {
    if (name.endsWith('/logout_token')) t.same(operation.security, [{ token: [] }, {}], name)
    else {
      const refusals = operation.responses['403']?.content?.['application/json']?.examples ?? {}
      const isForPeople = 'MODE_REQUIRED' in refusals
      const expected =
        'NOT_SIGNED_IN' in refusals
          ? [...(isForPeople ? [] : ['api_key']), 'token', 'bound_token', 'session', 'cookie']
          : []
      t.same(operation.security.flatMap(Object.keys), expected, name)
    }
  }
})

t.test('the statuses of its codes are those of the errors', async (t) => {
  const raised = Object.values({ ...suite, ...own }).map((Raised) => new Raised(''))
  // The six are the guard's to choose, and this user center chooses 403.
  const statusOf = new Map(raised.map(({ code, statusCode }) => [code, statusCode]))
  for (const [code, status] of Object.entries(STATUSES)) {
    const own = statusOf.get(code)
    if (own !== undefined) t.equal(own === 401 && status === 403 ? 403 : own, status, code)
  }
  const internal = raised.filter(({ statusCode }) => statusCode === 500).map(({ code }) => code)
  const missing = [...statusOf.keys()].filter((code) => !internal.includes(code) && !(code in STATUSES))
  t.same(missing.sort(), ['NOT_ALLOWED'], 'what no route of the user center refuses with')
})

type Check = (name: string, response: { statusCode: number; json(): unknown }) => void

async function checkKeys(app: FastifyInstance, check: Check): Promise<void> {
  const { credential } = await signIn(app, 'cookie')
  const make = (body: object, headers = credential) => post(app, '/api_keys', body, headers)
  const made = await make({ name: 'deploy', scopes: ['write'] })
  const { id, key } = made.json().data
  const byKey = { authorization: `Bearer ${key}` }
  for (const answer of [made, await make({}), await make({ name: 'deploy' }, byKey)])
    check('POST /api_keys', answer)
  for (const headers of [credential, byKey, {}])
    check('GET /api_keys', await app.inject({ url: '/api_keys', headers }))
  check('GET /sign_ins', await app.inject({ url: '/sign_ins', headers: credential }))
  check('GET /user_info', await userInfo(app, byKey))
  for (const headers of [byKey, credential, credential])
    check('DELETE /api_keys/:id', await app.inject({ method: 'DELETE', url: `/api_keys/${id}`, headers }))
}

async function checkFactors(t: Test, check: Check): Promise<void> {
  const { app, clock } = await startUserCenter(t)
  const { credential } = await signIn(app, 'session')
  const send = async (
    name: string,
    payload?: object,
    headers = credential,
    url = name.split(' ')[1] ?? '',
  ) => {
    const [method = ''] = name.split(' ')
    const answer = await app.inject({ method: method as 'POST', url, headers, ...(payload && { payload }) })
    check(name, answer)
    return answer.json().data
  }
  const { id, secret } = await send('POST /factors/totp', {})
  await send('POST /factors/totp/confirm', { id, code: '12' })
  await send('POST /factors/totp/confirm', { id, code: codeAt(secret, clock()) })
  await send('POST /factors/recovery_codes', {})
  clock.advance(30)
  await send('POST /step_up', { password: 'wrong' })
  await send('POST /step_up', { factor: 'totp', code: '12' })
  const stepped = await post(app, '/step_up', { factor: 'totp', code: codeAt(secret, clock()) }, credential)
  check('POST /step_up', stepped)
  const strong = { cookie: `session=${stepped.cookies.find(({ name }) => name === 'session')?.value}` }
  const [factor] = await send('GET /factors', undefined, strong)
  await send('POST /passkeys/options', {}, strong)
  await send('POST /passkeys/challenge', {}, strong)
  await send('POST /passkeys', { response: {}, name: 'x' }, strong)
  await send('PATCH /factors/:id', { name: 'Phone' }, strong, `/factors/${factor.id}`)
  for (const mode of MODES) {
    const login = await post(app, `/login_${mode}`, USER)
    check(`POST /login_${mode}`, login)
    const cookie = login.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
    clock.advance(30)
    const body = { pending: login.json().data.pending, factor: 'totp', code: codeAt(secret, clock()) }
    await send('POST /login_factor', { ...body, code: '12' }, { cookie })
    await send('POST /login_factor', body, { cookie })
  }
  const { pending } = await send('POST /login_passkey/options', {}, {})
  await send('POST /login_passkey', { pending, response: {}, mode: 'cookie' }, {})
  await send('DELETE /factors/:id', undefined, strong, `/factors/${factor.id}`)
  const admin = (await signIn(app, 'cookie', ADMIN)).credential
  for (const headers of [admin, strong])
    await send('DELETE /accounts/:username/factors', undefined, headers, '/accounts/user1/factors')
}

t.test('what is answered is what it says', async (t) => {
  const { app, document } = await start(t)
  const check = (name: string, response: { statusCode: number; json(): unknown }) => {
    const { operation } = operationsOf(document).find((each) => each.name === name) ?? {}
    const [media] = Object.values(operation?.responses[response.statusCode]?.content ?? {})
    const errors = media ? [...Compile(media.schema).Errors(response.json())] : ['not documented']
    t.same(errors, [], `${name} ${response.statusCode}`)
    if (media?.example?.msg) t.match(response.json(), { msg: media.example.msg }, name)
  }
  for (const mode of MODES) {
    const { response, credential, refreshToken } = await signIn(app, mode)
    check(`POST /login_${mode}`, response)
    check('GET /user_info', await userInfo(app, credential))
    check('GET /inspector', await app.inject({ url: '/inspector', headers: credential }))
    check('GET /sign_ins', await app.inject({ url: '/sign_ins', headers: credential }))
    check(
      'DELETE /sign_ins',
      await app.inject({ method: 'DELETE', url: '/sign_ins?except=current', headers: credential }),
    )
    if (mode === 'token')
      check('POST /refresh_token', await post(app, '/refresh_token', { refresh_token: refreshToken }))
    check(`POST /logout_${mode}`, await post(app, `/logout_${mode}`, {}, credential))
    check('GET /user_info', await userInfo(app, credential))
    check(`POST /login_${mode}`, await post(app, `/login_${mode}`, { username: 'x', password: 'y' }))
    check(`POST /login_${mode}`, await post(app, `/login_${mode}`, { username: 'x' }))
  }
  await checkKeys(app, check)
  await checkFactors(t, check)
  const newcomer = { username: 'zoe', password: 'a long enough one' }
  for (const body of [newcomer, newcomer, { ...newcomer, password: 'short' }, {}])
    check('POST /register', await post(app, '/register', body))
  const { credential: headers } = await signIn(app, 'token', ADMIN)
  for (const url of ['/accounts', '/accounts?limit=1', '/accounts?limit=x'])
    check('GET /accounts', await app.inject({ url, headers }))
  for (const [name, payload] of [
    ['zoe', { role: 'admin', disabled: true }],
    ['admin', { role: 'user' }],
    ['nobody', { role: 'user' }],
    ['zoe', {}],
  ] as const) {
    const answer = await app.inject({ method: 'PATCH', url: `/accounts/${name}`, headers, payload })
    check('PATCH /accounts/:username', answer)
  }
  for (const name of ['zoe', 'nobody'])
    check('GET /accounts/:username', await app.inject({ url: `/accounts/${name}`, headers }))
  for (const payload of [{ display_name: 'Ada' }, { display_name: '\u202e' }, {}, { display_name: null }])
    check('PATCH /user_info', await app.inject({ method: 'PATCH', url: '/user_info', headers, payload }))
  for (const path of ['/settings', '/healthz', '/readyz', '/.well-known/jwks.json'])
    check(`GET ${path}`, await app.inject(path))
})

t.test('there is a page to try it out, under a policy of its own', async (t) => {
  const { app } = await start(t)
  const page = await app.inject('/docs')
  t.equal(page.statusCode, 200)
  t.match(page.headers['content-type'], /^text\/html/)
  const policy = String(page.headers['content-security-policy'])
  t.notMatch(policy, /unsafe|\*|https?:|upgrade/)
  for (const directive of [
    "default-src 'none'",
    "script-src 'self'",
    "frame-ancestors 'none'",
    "form-action 'none'",
  ])
    t.match(policy, directive)
})

t.test('in production it is there only when asked for', async (t) => {
  const production = {
    NODE_ENV: 'production',
    SINGLE_INSTANCE: 'true',
    AUTH_SECRETS: 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6',
  }
  const { app } = await startUserCenter(t, production)
  refusedByCenter(t, await app.inject('/docs'), 404, 'NOT_FOUND')
  refusedByCenter(t, await app.inject('/docs/json'), 404, 'NOT_FOUND')
  const asked = await startUserCenter(t, { ...production, DOCS: 'true' })
  t.equal((await asked.app.inject('/docs/json')).statusCode, 200)
})

t.test('the page and its files are compressed, and its title is ours', async (t) => {
  const { app } = await startUserCenter(t)
  const page = await app.inject('/docs')
  t.match(page.body, '<title>API documentation · User center</title>')
  const files = [...page.body.matchAll(/(?:src|href)="(\/docs\/[^"]+\.(?:css|js))"/g)].map(
    ([, file = '']) => file,
  )
  t.ok(files.length >= 6)
  let bytes = 0
  for (const url of ['/docs', '/docs/', '/docs/json', '/docs/yaml', ...files]) {
    const plain = await app.inject(url)
    t.equal(plain.headers['content-encoding'], undefined, url)
    for (const [coding, decode] of [
      ['gzip', gunzipSync],
      ['br', brotliDecompressSync],
    ] as const) {
      const answer = await app.inject({ url, headers: { 'accept-encoding': coding } })
      const { headers, rawPayload } = answer
      t.match(headers, { 'content-encoding': coding, vary: 'Accept-Encoding', etag: plain.headers.etag }, url)
      t.equal(Number(headers['content-length']), rawPayload.length)
      t.ok(decode(rawPayload).equals(plain.rawPayload))
      if (files.includes(url) && coding === 'br') bytes += rawPayload.length
      const { etag } = headers
      if (!etag) continue
      const same = await app.inject({ url, headers: { 'accept-encoding': coding, 'if-none-match': etag } })
      t.match(same, { statusCode: 304, body: '', headers: { vary: 'Accept-Encoding' } }, url)
      t.equal(same.headers['content-encoding'], undefined)
    }
    const head = await app.inject({ url, method: 'HEAD', headers: { 'accept-encoding': 'br' } })
    t.match(head, { statusCode: 200, body: '', headers: { 'content-encoding': undefined } }, url)
  }
  t.ok(bytes < 600_000, `${bytes} bytes`)
  const missing = await app.inject({ url: '/docs/static/nothing', headers: { 'accept-encoding': 'br' } })
  t.match(missing, { statusCode: 404, headers: { 'content-encoding': undefined } })
})
