import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { OptionInvalid } from '../../plugins/lib/errors.js'
import type { ChallengeScope } from '../../plugins/lib/factors/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { type Lies, SoftAuthenticator } from '../helpers/authenticator.js'
import {
  accountOf,
  addAccount,
  addPasskey,
  addTotp,
  Client,
  factorApp,
  ORIGIN,
  PASSWORD,
  signedIn,
} from '../helpers/factor-app.js'
import { deviceOf } from '../helpers/http.js'

const strangersKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

/** Alice, who has a passkey, and the browser in which she added it. */
async function start(t: Test, more: Parameters<typeof factorApp>[1] = {}) {
  const made = await factorApp(t, more)
  const account = await addAccount(made.app)
  const owner = await signedIn(made.app)
  const authenticator = await addPasskey(owner)
  const events: { type: string; time: number; reason?: string }[] = []
  made.app.audit.subscribe((event) => void events.push(event))
  return { ...made, account, owner, authenticator, events }
}

const said = (response: { statusCode: number; json(): { error?: string } }) =>
  [response.statusCode, response.json().error] as const
const REFUSED = [401, 'FACTOR_REFUSED'] as const

/** Asks for a challenge, and answers it. */
async function answer(client: Client, authenticator: SoftAuthenticator, lies: Lies = {}) {
  const { options, pending } = (await client.post('/passkey/options')).json()
  return { pending, response: authenticator.get(options, lies) }
}

const signIn = async (client: Client, authenticator: SoftAuthenticator, lies: Lies = {}, mode = 'cookie') =>
  client.post(`/passkey/${mode}`, await answer(client, authenticator, lies))

/** The same as the second step of a sign-in. */
async function finish(client: Client, authenticator: SoftAuthenticator, lies: Lies = {}) {
  const pending = await client.pending()
  const options = (await client.post('/challenge', { pending })).json()
  return client.post('/finish', { pending, factor: 'passkey', response: authenticator.get(options, lies) })
}

t.test('a passkey signs in by every mode, without a name and a password, as two factors', async (t) => {
  const { app, client, authenticator, account, clock } = await start(t)
  for (const mode of ['cookie', 'session', 'token'] as const) {
    clock.advance(1)
    const browser = client()
    const { options, pending } = (await browser.post('/passkey/options')).json()
    t.match(options, { rpId: 'localhost', userVerification: 'required', timeout: 300_000 })
    t.notOk(options.allowCredentials, 'it names nobody')
    const response = authenticator.get(options)
    const signedIn = await browser.post(`/passkey/${mode}`, { pending, response, remember: true })
    t.equal(signedIn.statusCode, 200, signedIn.body)
    t.notOk(browser.jar.has('pending'))
    const { issued, account: owner } = signedIn.json()
    t.equal(owner.id, account.id)
    const headers =
      mode === 'token' ? { authorization: `Bearer ${issued.token}` } : { cookie: browser.cookie }
    const me = (await app.inject({ url: '/me', headers })).json()
    t.match(me, { accountId: account.id, mode, factors: [{ method: 'passkey', at: clock.now }] })
    t.equal(me.factors.length, 1)
    if (mode !== 'token') t.ok(deviceOf(signedIn))
  }
  t.match(await app.factors.list(account.id), [
    { kind: 'passkey', lastUsedAt: clock.now },
    { kind: 'recovery_code' },
  ])
})

t.test('the events of an added passkey have the address of the request', async (t) => {
  const { app } = await factorApp(t)
  const { id: accountId } = await addAccount(app)
  const owner = new Client(app, '192.0.2.5')
  await owner.post('/login/cookie', { username: 'alice', password: PASSWORD })
  const events: object[] = []
  app.audit.subscribe((event) => void events.push(event))
  await addPasskey(owner)
  t.match(
    events.filter((event) => 'kind' in event),
    [
      { type: 'factor_added', kind: 'passkey', accountId, ip: '192.0.2.5' },
      { type: 'factor_added', kind: 'recovery_code', accountId, ip: '192.0.2.5' },
    ],
  )
})

t.test('a passkey is the second step after a password', async (t) => {
  const { app, client, authenticator, clock } = await start(t)
  const browser = client()
  const login = await browser.post('/login/cookie', { username: 'alice', password: PASSWORD })
  t.strictSame(login.json().data.factors, ['passkey', 'recovery_code'])
  const { pending } = login.json().data
  const options = (await browser.post('/challenge', { pending })).json()
  t.strictSame(options.allowCredentials, [
    { id: authenticator.keys[0]?.id, transports: ['hybrid', 'internal'], type: 'public-key' },
  ])
  t.strictSame(
    said(await client().post('/challenge', { pending })),
    REFUSED,
    'another browser gets no challenge',
  )
  const response = authenticator.get(options)
  t.equal((await browser.post('/finish', { pending, factor: 'passkey', response })).statusCode, 200)
  const me = await app.inject({ url: '/me', headers: { cookie: browser.cookie } })
  t.match(me.json().factors, [{ method: 'password' }, { method: 'passkey', at: clock.now }])
})

const LIES: readonly [string, Lies][] = [
  ['for another origin', { origin: 'https://evil.example' }],
  ['for another port', { origin: 'http://localhost:3001' }],
  ['for another scheme', { origin: 'https://localhost:3000' }],
  ['for another relying party', { rpId: 'evil.example' }],
  ['from a frame in another site', { crossOrigin: true }],
  ['without user verification', { isVerified: false }],
  ['without a person', { isPresent: false }],
  ['by another key', { signedBy: strangersKey() }],
  ['of another kind', { type: 'webauthn.create' }],
  ['for an unknown challenge', { challenge: Buffer.from('x'.repeat(60)).toString('base64url') }],
  ['for no challenge', { challenge: '' }],
  ['of an unknown passkey', { id: Buffer.alloc(32).toString('base64url') }],
  ['of another person’s handle', { userHandle: Buffer.alloc(32).toString('base64url') }],
]

t.test('an answer that is not right in any one point is refused, and changes nothing', async (t) => {
  const { app, client, authenticator, account } = await start(t)
  const before = await app.signIns.list(account.id)
  let each = 0
  for (const [what, lies] of LIES) {
    each += 1
    t.strictSame(
      said(await signIn(client(`192.0.2.${each}`), authenticator, lies)),
      REFUSED,
      `alone, ${what}`,
    )
    const second = client(`192.0.2.${each}`)
    const status = (await finish(second, authenticator, lies)).statusCode
    t.ok(status === 401 || (status === 429 && each > 10), `as a second step, ${what}: ${status}`)
  }
  t.strictSame(
    said(await signIn(client(), authenticator, { userHandle: null })),
    REFUSED,
    'alone, naming nobody',
  )
  t.strictSame(await app.signIns.list(account.id), before)
  t.equal((await signIn(client(), authenticator)).statusCode, 200)
})

t.test('a refused sign-in by passkey alone is an event, and is counted', async (t) => {
  const { app, client, authenticator, events } = await start(t, { metrics: {} })
  const elsewhere = await answer(client(), authenticator)
  events.length = 0
  for (const mode of ['cookie', 'session', 'token'] as const)
    t.strictSame(said(await signIn(client(), authenticator, { isVerified: false }, mode)), REFUSED)
  t.strictSame(said(await client().post('/passkey/cookie', elsewhere)), REFUSED, 'of another browser')
  const event = { type: 'sign_in_refused', reason: 'passkey', ip: '127.0.0.1' }
  t.strictSame(
    events.map(({ time: _, ...rest }) => rest),
    ['cookie', 'session', 'token', 'cookie'].map((mode) => ({ ...event, mode })),
  )
  const text = await app.identityMetrics.text()
  t.match(text, /wrong_factors_total\{kind="passkey"\} 4/)
  t.match(text, /wrong_passwords_total\{mode="cookie",what="sign_in"\} 0/)
})

t.test('a challenge is good for one thing, once, for five minutes', async (t) => {
  const { client, authenticator, clock, app, owner } = await start(t)
  const browser = client()
  const once = await answer(browser, authenticator)
  t.equal((await browser.post('/passkey/token', once)).statusCode, 200)
  t.strictSame(said(await browser.post('/passkey/token', once)), REFUSED, 'used twice')
  const other = client()
  const late = await answer(other, authenticator)
  clock.advance(300)
  t.strictSame(said(await other.post('/passkey/cookie', late)), REFUSED, 'too late')
  const [one, two] = [client(), client()]
  const mine = await answer(one, authenticator)
  await answer(two, authenticator)
  t.strictSame(said(await two.post('/passkey/cookie', mine)), REFUSED, 'in another browser')
  t.strictSame(said(await client().post('/passkey/cookie', mine)), REFUSED, 'without the cookie')
  t.strictSame(said(await one.post('/passkey/cookie', { ...mine, pending: `${mine.pending}x` })), REFUSED)
  t.equal((await one.post('/passkey/cookie', mine)).statusCode, 200, 'none of which spent it')

  const account = await accountOf(app, 'alice')
  const scopes = [
    { purpose: 'step_up', subject: 's-1', accountId: account.id },
    { purpose: 'reset', subject: 'r-1', accountId: account.id },
    { purpose: 'pending', subject: 'p-1', accountId: account.id },
  ] as const
  const verify = (scope: ChallengeScope, response: unknown) =>
    app.factors.verify(
      { headers: {}, ip: '192.0.2.77' } as never,
      account,
      { factor: 'passkey', response },
      scope,
    )
  for (const scope of scopes) {
    const response = authenticator.get(await app.factors.challenge(scope))
    for (const wrong of scopes.filter((each) => each !== scope)) t.equal(await verify(wrong, response), null)
    t.equal(await verify({ ...scope, subject: 'another' }, response), null, 'another sign-in')
    const pending = await browser.pending()
    t.strictSame(said(await browser.post('/finish', { pending, factor: 'passkey', response })), REFUSED)
    t.match(await verify(scope, response), { given: { method: 'passkey' } }, scope.purpose)
    t.equal(await verify(scope, response), null, `${scope.purpose}: twice`)
  }
  const registration = (await owner.post('/register/options')).json()
  const forged = authenticator.get({ ...registration, rpId: 'localhost' })
  t.equal(await verify(scopes[0], forged), null, 'a challenge to register')
})

t.test('a counter that does not grow is a copy of the key; 0 is none', async (t) => {
  const { app, client, authenticator, events, account } = await start(t)
  t.equal((await signIn(client(), authenticator, { counter: 10 })).statusCode, 200)
  for (const counter of [10, 9, 1, 0]) {
    events.length = 0
    t.strictSame(said(await signIn(client(), authenticator, { counter })), REFUSED, `${counter} after 10`)
    t.match(events, [
      { type: 'passkey_cloned', accountId: account.id, kind: 'passkey', ip: '127.0.0.1' },
      { type: 'sign_in_refused', mode: 'cookie', reason: 'passkey', ip: '127.0.0.1' },
    ])
  }
  events.length = 0
  t.strictSame(said(await finish(client(), authenticator, { counter: 3 })), REFUSED)
  t.match(
    events.filter(({ type }) => type.startsWith('passkey') || type.startsWith('factor')),
    [
      { type: 'passkey_cloned', ip: '127.0.0.1' },
      { type: 'factor_refused', reason: 'cloned' },
    ],
  )
  t.equal((await signIn(client(), authenticator, { counter: 11 })).statusCode, 200)
  t.equal((await signIn(client(), authenticator, { counter: 2 ** 32 - 1 })).statusCode, 200)
  await addAccount(app, 'bob')
  const without = await addPasskey(await signedIn(app, 'bob'), new SoftAuthenticator(ORIGIN, 0))
  for (let each = 0; each < 3; each++) t.equal((await signIn(client(), without)).statusCode, 200)
})

t.test('only one of many parallel uses of one answer signs in', async (t) => {
  const { app, client, authenticator, account } = await start(t)
  const before = (await app.signIns.list(account.id)).length
  for (let round = 0; round < 20; round++) {
    const browser = client()
    const given = await answer(browser, authenticator)
    const all = await Promise.all([1, 2, 3, 4].map(() => browser.post('/passkey/token', given)))
    t.strictSame(all.map(({ statusCode }) => statusCode).sort(), [200, 401, 401, 401])
  }
  t.equal((await app.signIns.list(account.id)).length, before + 20)
})

t.test('a passkey of another account is none', async (t) => {
  const { app, client, authenticator } = await start(t)
  await addAccount(app, 'mallory')
  const own = await addPasskey(await signedIn(app, 'mallory'))
  const browser = client()
  const pending = await browser.pending()
  const options = (await browser.post('/challenge', { pending })).json()
  const response = own.get({ ...options, allowCredentials: undefined }, { userHandle: null })
  t.strictSame(said(await browser.post('/finish', { pending, factor: 'passkey', response })), REFUSED)
  const aliceHandle = authenticator.keys[0]?.userHandle ?? ''
  t.strictSame(said(await signIn(client(), own, { userHandle: aliceHandle })), REFUSED)
  t.equal((await signIn(client(), own)).statusCode, 200)
})

t.test(
  'nobody signs in by the passkey of an account that is disabled, or by one that was removed',
  async (t) => {
    const { app, client, authenticator, account } = await start(t)
    const browser = client()
    const given = await answer(browser, authenticator)
    await app.accounts.setDisabled(account.id, true)
    t.strictSame(said(await browser.post('/passkey/cookie', given)), REFUSED)
    await app.accounts.setDisabled(account.id, false)
    const [passkey] = await app.factors.list(account.id)
    t.equal((await signIn(client(), authenticator)).statusCode, 200)
    await app.factors.remove(account.id, passkey?.id ?? '')
    t.strictSame(said(await signIn(client(), authenticator)), REFUSED)
  },
)

t.test('an account whose epoch is raised during a sign-in by passkey is refused', async (t) => {
  const { app, client, authenticator, account } = await start(t)
  // The revocation list has the new epoch before this process reads the account again.
  await app.signIns.raiseEpoch({ id: account.id, epoch: account.epoch + 1 })
  const browser = client()
  t.strictSame(said(await signIn(browser, authenticator)), REFUSED)
  t.equal(browser.cookie.includes('auth'), false)
})

t.test(
  'a passkey is added by the sign-in that asked for it, once, and by an honest answer only',
  async (t) => {
    const { app, owner, authenticator, account, clock } = await start(t)
    const fresh = () => new SoftAuthenticator(ORIGIN)
    const begin = async (client = owner) => (await client.post('/register/options')).json()
    const options = await begin()
    t.match(options, {
      rp: { id: 'localhost' },
      user: { name: 'alice' },
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      excludeCredentials: [{ id: authenticator.keys[0]?.id }],
    })
    t.notMatch(JSON.stringify(options.user.id), account.id)
    const add = async (response: unknown, client = owner) =>
      said(await client.post('/register', { response }))
    const registered = async () =>
      (await app.factors.list(account.id)).filter(({ kind }) => kind === 'passkey').length
    const certificate = new Map<string, string | Uint8Array[] | number | Uint8Array>([
      ...([
        ['alg', -7],
        ['sig', Buffer.alloc(70)],
        ['x5c', [Buffer.alloc(400)]],
      ] as const),
    ] as [string, number | Uint8Array | Uint8Array[]][])
    const lies: [string, Lies][] = [
      ...LIES.filter(([what]) =>
        /origin|port|scheme|relying|frame|verification|person$|challenge/.test(what),
      ),
      ['of another kind', { type: 'webauthn.get' }],
      ['with a certificate', { fmt: 'packed', attStmt: certificate as never }],
      ['in another format', { fmt: 'fido-u2f' }],
      ['in an unknown format', { fmt: 'none ' }],
    ]
    for (const [what, each] of lies) t.strictSame(await add(fresh().create(options, each)), REFUSED, what)
    t.equal(await registered(), 1)
    const other = await begin()
    const good = fresh().create(other)
    const second = await signInAgain(owner, authenticator)
    t.strictSame(await add(good, second), REFUSED, 'another sign-in of the same account')
    await addAccount(app, 'mallory')
    t.strictSame(await add(good, await signedIn(app, 'mallory')), REFUSED, 'another account')
    clock.advance(299)
    t.equal((await add(good))[0], 200)
    t.strictSame(await add(good), REFUSED, 'twice')
    t.equal(await registered(), 2)
    clock.advance(1)
    t.strictSame(await add(fresh().create(other)), REFUSED, 'too late')
  },
)

async function signInAgain(owner: Client, authenticator: SoftAuthenticator): Promise<Client> {
  const client = new Client(owner.app)
  await signIn(client, authenticator)
  return client
}

t.test('a credential that another account has is not added again', async (t) => {
  const { app, authenticator, owner } = await start(t)
  await addAccount(app, 'mallory')
  const mallory = await signedIn(app, 'mallory')
  const options = (await mallory.post('/register/options')).json()
  const copy = new SoftAuthenticator(ORIGIN)
  const made = copy.create(options)
  t.equal((await mallory.post('/register', { response: made })).statusCode, 200)
  const again = (await owner.post('/register/options')).json()
  const [key] = copy.keys
  if (!key) throw new Error('no passkey was made')
  // The same credential id, in an answer to alice's challenge: its bytes are in the attestation.
  const stolen = authenticator.createAs(again, key)
  t.strictSame(said(await owner.post('/register', { response: stolen })), REFUSED)
})

t.test('whatever comes instead of an answer is refused, and never a fault', async (t) => {
  const { client, authenticator, owner } = await start(t, {
    throttle: { addressLimit: 100_000, accountLimit: 100_000 },
  })
  const browser = client()
  const { response: genuine, pending } = await answer(browser, authenticator)
  const options = (await owner.post('/register/options')).json()
  const created = new SoftAuthenticator(ORIGIN).create(options)
  const changed = (value: object, names: readonly string[]) =>
    fc
      .record({
        name: fc.constantFrom(...names),
        by: fc.oneof(
          fc.jsonValue(),
          fc.stringMatching(/^[\w-]{1,200}$/),
          fc.constantFrom('', 'A'.repeat(20_000), { length: 5 }, ['a'], '\0'),
        ),
      })
      .map(({ name, by }) => {
        const copy = JSON.parse(JSON.stringify(value))
        const [first = '', second] = name.split('.')
        if (second) copy[first][second] = by
        else copy[first] = by
        return copy
      })
  const assertions = fc.oneof(
    changed(genuine, [
      'id',
      'rawId',
      'type',
      'response',
      'response.clientDataJSON',
      'response.authenticatorData',
      'response.signature',
      'response.userHandle',
    ]),
    fc.jsonValue(),
  )
  const registrations = fc.oneof(
    changed(created, [
      'id',
      'rawId',
      'type',
      'response',
      'response.clientDataJSON',
      'response.attestationObject',
    ]),
    fc.jsonValue(),
  )
  const refuse = async (url: string, who: Client, body: object) => {
    const { statusCode, body: text } = await who.post(url, body)
    // Fastify itself refuses a body with a key such as `__proto__`.
    const isParsed = !text.includes('FST_ERR_CTP_INVALID_JSON_BODY')
    if (statusCode !== (isParsed ? 401 : 400)) throw new Error(`${url}: ${statusCode} ${text}`)
  }
  await fc.assert(
    fc.asyncProperty(assertions, async (response) => {
      if (JSON.stringify(response) !== JSON.stringify(genuine))
        await refuse('/passkey/token', browser, { pending, response })
    }),
    { numRuns: 200 },
  )
  await fc.assert(
    fc.asyncProperty(registrations, (response) => refuse('/register', owner, { response })),
    { numRuns: 200 },
  )
  for (const value of [null, 5, {}, [], 'x'.repeat(5000)])
    await refuse('/passkey/token', browser, { pending: value, response: genuine })
  const last = await browser.post('/passkey/token', { pending, response: genuine })
  t.equal(last.statusCode, 200, 'none of which spent the challenge')
})

t.test('passkeys beside an authenticator app: each of them is asked, one is enough', async (t) => {
  const { app, clock, client } = await factorApp(t)
  await addAccount(app)
  const { owner, code } = await addTotp(app, clock)
  const authenticator = await addPasskey(owner)
  const browser = client()
  const login = await browser.post('/login/cookie', { username: 'alice', password: PASSWORD })
  t.strictSame(login.json().data.factors, ['totp', 'passkey', 'recovery_code'])
  t.equal((await finish(client(), authenticator)).statusCode, 200)
  const { pending } = login.json().data
  t.equal((await browser.post('/finish', { pending, factor: 'totp', code: code() })).statusCode, 200)
})

t.test(
  'a store that cannot spend a challenge stops the start; without rpId there are no passkeys',
  async (t) => {
    const without = new Proxy(createMemoryStore(), {
      get: (target, name) => (name === 'spendOnce' ? undefined : Reflect.get(target, name)),
    })
    await t.rejects(factorApp(t, { state: { store: without } }), {
      code: 'OPTION_INVALID',
      message: /spendOnce/,
    })
    const { app } = await factorApp(t, { factors: {} })
    await t.rejects(app.factors.challenge({ purpose: 'login', subject: 'x', accountId: null }), OptionInvalid)
  },
)
