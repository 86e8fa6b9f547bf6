import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type {
  GivenFactor,
  ModeName,
  RefusalCode,
  SignInOptions,
  StepUpOptions,
} from '../plugins/lib/contract.js'
import { createMemoryStore } from '../plugins/lib/stores/memory/store.js'
import {
  type AddMode,
  ALICE,
  BOB,
  buildSuite,
  cookieMode,
  faultyStore,
  type Headers,
  heldStore,
  NEXT_SECRET,
  type Operation,
  refused,
  SECRET,
  START,
  type Suite,
  type SuiteOptions,
  TestClock,
  tokenMode,
} from './helpers/suite.js'

/** What the contract has to know of a mode. */
export interface ModeUnderTest {
  readonly addMode: AddMode
  /** True when a browser sends the credential unasked. */
  readonly ambient: boolean
  /** What `WWW-Authenticate` names. */
  readonly challenge: string
  /** The headers by which a client presents what a sign-in handed out. */
  present(answer: LightMyRequestResponse): Headers
  /** What somebody without our keys may make of a good credential, by how it was made. */
  alter(headers: Headers): Readonly<Record<string, Headers>>
  /** Why an altered one is refused, and one past its time. */
  readonly codes: { readonly altered: RefusalCode; readonly expired: RefusalCode }
  /** Of a credential that is not used, in seconds. */
  readonly lifetime: number
  /** True where the client cannot read the claims, so that none is too sensitive. */
  readonly claimsStayHere?: boolean
  /** What its identity has in place of the time and the factors of the sign-in. */
  readonly inPlaceOfAuthTime?: object
  /** What a step-up needs besides factors, by the answer of the sign-in. Absent for a mode that has none. */
  readonly stepUpWith?: (answer: LightMyRequestResponse) => StepUpOptions
  /** How long the credential from before a step-up keeps working, in seconds. Defaults to `lifetime`. */
  readonly outlivesStepUp?: number
  /** True for a mode that answers by promise even where the store does not. */
  readonly alwaysPromises?: boolean
  /** False for a mode that keeps its credentials in the process. */
  readonly outlivesProcess?: boolean
}

const EVERY_OPERATION: readonly Operation[] = [
  ...(['generation', 'isLive', 'addSignIn', 'findSignIn', 'listSignIns', 'touchSignIn'] as const),
  ...(['rotateRefresh', 'endSignIn', 'endSignIns', 'raiseEpoch', 'createSession', 'readSession'] as const),
  ...(['replaceSession', 'touchSession', 'destroySession', 'ping'] as const),
]

const CROSS_SITE = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example', host: 'app.example' }

interface Setting extends Suite {
  /** Signs in and returns the headers that present the credential. Fails loudly where that is refused. */
  enter(options?: Parameters<Suite['signIn']>[1]): Promise<Headers>
  leave(headers?: Headers): Promise<LightMyRequestResponse>
  signInIds(): Promise<string[]>
}

/** What every mode promises, whatever it is made of: one suite, which each implementation runs. */
export function modeContract(t: Test, name: ModeName, mode: ModeUnderTest): void {
  const setUp = async (t: Test, options: Partial<SuiteOptions> = {}): Promise<Setting> => {
    const suite = await buildSuite(t, { modes: [mode.addMode], ...options })
    return {
      ...suite,
      async enter(options) {
        const answer = await suite.signIn(name, options)
        if (answer.statusCode !== 200) throw new Error(`${name}: ${answer.statusCode} ${answer.body}`)
        return mode.present(answer)
      },
      leave: (headers) => suite.signOut(name, headers),
      signInIds: async () => (await suite.app.signIns.list(ALICE.id)).map(({ id }) => id),
    }
  }

  t.test(`${name}: the mode contract`, async (t) => {
    t.test('a request without its credential is not its: nobody is signed in', async (t) => {
      const { me } = await setUp(t)
      const others: Headers[] = [{}, { cookie: 'other=1' }, { authorization: 'Basic YTpi' }]
      for (const headers of others) {
        const answer = await me(headers)
        refused(t, answer, 401, 'NOT_SIGNED_IN', JSON.stringify(headers))
        t.equal(answer.headers['www-authenticate'], mode.challenge)
      }
    })

    t.test('it says who signed in, frozen, with the sign-in that was recorded', async (t) => {
      const { enter, app } = await setUp(t, {
        routes(app) {
          app.get('/frozen', { preHandler: app.guard() }, async ({ identity }) => ({
            identity,
            frozen: [identity, identity.claims, identity.claims.team, ...(identity.factors ?? [])].every(
              Object.isFrozen,
            ),
          }))
        },
      })
      const headers = await enter({ claims: { team: { id: 7 }, beta: true } })
      const [record, ...more] = await app.signIns.list(ALICE.id)
      t.equal(more.length, 0)
      t.strictSame((await app.inject({ url: '/frozen', headers })).json(), {
        identity: {
          accountId: ALICE.id,
          username: 'alice',
          role: 'admin',
          mode: name,
          signInId: record?.id,
          ...(mode.inPlaceOfAuthTime ?? {
            authTime: START,
            factors: [{ method: 'password', at: START }],
          }),
          claims: { team: { id: 7 }, beta: true },
        },
        frozen: true,
      })
      t.match(record, { mode: name, accountId: ALICE.id, createdAt: START, epoch: 0 })
    })

    t.test('it answers without a promise where the store does, unless it says otherwise', async (t) => {
      const promise = mode.alwaysPromises === true
      const probe: SuiteOptions['routes'] = (app) => {
        app.get('/probe', async (request) => {
          const resolution = app.authModes.get(name).resolve(request)
          return { promise: resolution instanceof Promise, kind: (await resolution).kind }
        })
      }
      const { enter, app } = await setUp(t, { routes: probe })
      const headers = await enter()
      t.same((await app.inject({ url: '/probe', headers })).json(), { promise, kind: 'identity' })
      t.same((await app.inject('/probe')).json(), { promise, kind: 'absent' })
    })

    t.test('it works over a store that answers by promise', async (t) => {
      const { store } = faultyStore(createMemoryStore(), { promises: true })
      const { enter, leave, me } = await setUp(t, { store })
      const headers = await enter()
      t.equal((await me(headers)).json().username, 'alice')
      t.equal((await leave(headers)).statusCode, 200)
      refused(t, await me(headers), 401, 'SIGNED_OUT')
    })

    t.test('each sign-in has a credential of its own', async (t) => {
      const { enter, me } = await setUp(t)
      const all = await Promise.all([enter(), enter(), enter({ account: BOB })])
      t.equal(new Set(all.map((headers) => JSON.stringify(headers))).size, 3)
      const who = await Promise.all(all.map(async (headers) => (await me(headers)).json().username))
      t.strictSame(who, ['alice', 'alice', 'bob'])
    })

    t.test('an altered credential is refused, and the good one stays good', async (t) => {
      const { enter, leave, me, signInIds } = await setUp(t)
      const good = await enter()
      const before = await signInIds()
      for (const [how, headers] of Object.entries(mode.alter(good))) {
        refused(t, await me(headers), 401, mode.codes.altered, how)
        t.same((await leave(headers)).json(), { ended: false }, `${how}: ends nothing`)
      }
      t.strictSame(await signInIds(), before)
      t.equal((await me(good)).statusCode, 200)
    })

    t.test('it ends at its time, by the injected clock', async (t) => {
      const { enter, me, clock } = await setUp(t)
      const headers = await enter()
      clock.advance(mode.lifetime)
      refused(t, await me(headers), 401, mode.codes.expired)
      const inTime = await setUp(t)
      const fresh = await inTime.enter()
      inTime.clock.now += mode.lifetime * 1000 - 1
      t.equal((await inTime.me(fresh)).statusCode, 200)
    })

    t.test('signing out ends it for good, and may be repeated', async (t) => {
      const { enter, leave, me, signInIds } = await setUp(t)
      const headers = await enter()
      const other = await enter()
      t.same((await leave(headers)).json(), { ended: true })
      refused(t, await me(headers), 401, 'SIGNED_OUT')
      t.equal((await leave(headers)).statusCode, 200)
      refused(t, await me(headers), 401, 'SIGNED_OUT')
      t.same((await leave()).json(), { ended: false }, 'without a credential it does nothing')
      t.equal((await me(other)).statusCode, 200)
      t.equal((await signInIds()).length, 1)
    })

    t.test('a sign-in that is ended elsewhere is over here', async (t) => {
      const { enter, me, app, store, signIn, signInIds } = await setUp(t)
      const first = await enter()
      const [firstId = ''] = await signInIds()
      await app.signIns.end({ accountId: ALICE.id, signInId: firstId })
      refused(t, await me(first), 401, 'SIGNED_OUT', 'ended by its id')

      const second = await enter()
      t.equal(await app.signIns.endAll(ALICE.id), 1)
      refused(t, await me(second), 401, 'SIGNED_OUT', 'ended with all of the account')

      const third = await enter()
      const [thirdId = ''] = await signInIds()
      await store.raiseEpoch(ALICE.id, 1, thirdId, START + 1e9)
      t.equal((await me(third)).statusCode, 200, 'spared by a raised epoch')
      await store.raiseEpoch(ALICE.id, 2, null, START + 1e9)
      refused(t, await me(third), 401, 'SIGNED_OUT', 'ended by a raised epoch')
      refused(t, await signIn(name), 500, 'EPOCH_PASSED', 'issued under an epoch from before')
      t.equal((await me(await enter({ account: { ...ALICE, epoch: 2 } }))).statusCode, 200)
    })

    t.test('a new sign-in ends the one whose credential came with it, of this mode only', async (t) => {
      const [neighbour, addNeighbour] =
        name === 'cookie' ? (['token', tokenMode()] as const) : (['cookie', cookieMode()] as const)
      const { enter, me, app, signIn } = await setUp(t, { modes: [mode.addMode, addNeighbour] })
      const [old, another] = [await enter(), await enter()]
      await signIn(neighbour, { headers: old })
      t.equal((await me(old)).statusCode, 200, 'a sign-in by another mode ends nothing')
      const fresh = await enter({ account: BOB, headers: old })
      refused(t, await me(old), 401, 'SIGNED_OUT')
      t.equal((await me(fresh)).json().username, 'bob')
      t.equal((await me(another)).statusCode, 200)
      const modes = (await app.signIns.list(ALICE.id)).map((record) => record.mode)
      t.strictSame(modes.sort(), [name, neighbour].sort())
    })

    t.test('a sign-in that is refused ends nothing, stores nothing and hands out nothing', async (t) => {
      const { enter, me, signIn, signInIds } = await setUp(t)
      const headers = await enter()
      const before = await signInIds()
      const sensitive = [{ password: 'x' }, { deep: [{ card_number: '4' }] }]
      const bad: [unknown, string][] = [[['not', 'an', 'object'], 'CLAIM_INVALID']]
      if (!mode.claimsStayHere) for (const claims of sensitive) bad.push([claims, 'CLAIM_SENSITIVE'])
      for (const [claims, code] of bad) {
        const answer = await signIn(name, { headers, claims: claims as never })
        refused(t, answer, 500, code)
        t.equal(answer.headers['set-cookie'], undefined)
      }
      refused(t, await signIn(name, { headers, account: { ...ALICE, role: '' } }), 500, 'OPTION_INVALID')
      t.strictSame(await signInIds(), before)
      t.equal((await me(headers)).statusCode, 200)
    })

    t.test('nothing of the application’s row but its own fields leaves the server', async (t) => {
      const { signIn, me } = await setUp(t)
      const answer = await signIn(name)
      const said = JSON.stringify([answer.headers, answer.body, (await me(mode.present(answer))).body])
      const decoded = said.split(/[^\w-]+/).map((part) => Buffer.from(part, 'base64url').toString())
      for (const text of [said, ...decoded]) {
        if (text.includes(ALICE.password) || text.includes(ALICE.password_hash))
          t.fail(`leaks: ${text.slice(0, 80)}`)
      }
      t.equal(answer.headers['cache-control'], 'no-store')
    })

    t.test('when the store cannot answer, all is 503 and nothing has changed', async (t) => {
      const { store, failing } = faultyStore(createMemoryStore())
      const { enter, leave, me, signIn, signInIds } = await setUp(t, { store })
      const headers = await enter()
      const before = await signInIds()
      for (const operation of EVERY_OPERATION) failing.add(operation)
      for (const answer of [await me(headers), await signIn(name, { headers }), await leave(headers)]) {
        refused(t, answer, 503, 'STORE_UNAVAILABLE')
        t.equal(answer.headers['retry-after'], '1')
        t.equal(answer.headers['set-cookie'], undefined)
      }
      refused(t, await me(), 401, 'NOT_SIGNED_IN', 'who has no credential needs no store')
      failing.clear()
      t.equal((await me(headers)).statusCode, 200)
      t.strictSame(await signInIds(), before)
    })

    t.test('when the old sign-in cannot be ended, the new one is not handed out', async (t) => {
      const { store, failing } = faultyStore(createMemoryStore())
      const { enter, me, signIn } = await setUp(t, { store })
      const headers = await enter()
      failing.add('endSignIn')
      const answer = await signIn(name, { headers })
      refused(t, answer, 503, 'STORE_UNAVAILABLE')
      t.equal(answer.headers['set-cookie'], undefined)
      t.notOk('issued' in answer.json())
      failing.clear()
      t.equal((await me(headers)).statusCode, 200)
    })

    t.test('the same-origin check covers it exactly where a browser sends it unasked', async (t) => {
      const { enter, me, post } = await setUp(t)
      const headers = await enter()
      const answer = await post('/me', { ...CROSS_SITE, ...headers })
      if (mode.ambient) refused(t, answer, 403, 'CROSS_SITE')
      else t.equal(answer.statusCode, 200)
      t.equal((await post('/me', headers)).statusCode, 200)
      t.equal((await me({ ...CROSS_SITE, ...headers })).statusCode, 200)
    })

    t.test('when the state is lost, what came before is refused', async (t) => {
      const headers = await (await setUp(t)).enter()
      const after = await setUp(t, { store: createMemoryStore() })
      const expected = mode.outlivesProcess === false ? mode.codes.altered : 'SIGNED_OUT'
      refused(t, await after.me(headers), 401, expected)
    })

    if (mode.inPlaceOfAuthTime === undefined) factorContract(t, name, setUp)
    if (mode.stepUpWith) stepUpContract(t, name, mode, mode.stepUpWith, setUp)
    if (mode.outlivesProcess !== false) keyContract(t, setUp, mode)
  })
}

/** For modes that sign in people. */
function factorContract(
  t: Test,
  name: ModeName,
  setUp: (t: Test, options?: Partial<SuiteOptions>) => Promise<Setting>,
): void {
  t.test('identity and list have the factors of the sign-in, each with its time', async (t) => {
    const { enter, me, app } = await setUp(t)
    const second = Math.floor(START / 1000) * 1000
    const given: [SignInOptions['factors'], GivenFactor[]][] = [
      [undefined, [{ method: 'password', at: START }]],
      [['external'], [{ method: 'external', at: second }]],
      [
        ['totp', { method: 'password', at: START - 90_000 }],
        [
          { method: 'password', at: second - 90_000 },
          { method: 'totp', at: second },
        ],
      ],
      [
        ['passkey', 'recovery_code'],
        [...(['recovery_code', 'passkey'] as const)].map((method) => ({ method, at: second })),
      ],
      [['totp', { method: 'totp', at: START - 5000 }], [{ method: 'totp', at: second }]],
    ]
    for (const [factors, expected] of given) {
      const headers = await enter(factors && { factors })
      const identity = (await me(headers)).json()
      t.strictSame(identity.factors, expected)
      t.equal(identity.authTime, START)
      t.strictSame((await app.signIns.find(ALICE.id, identity.signInId))?.factors, expected, 'in the list')
    }
  })

  t.test('an unknown factor signs nobody in, and ends nothing', async (t) => {
    const { enter, me, signInIds, signIn } = await setUp(t)
    const headers = await enter()
    const before = await signInIds()
    const bad = [
      [],
      ['sms'],
      'totp',
      [{ method: 'totp' }],
      [{ method: 'totp', at: 'now' }],
      [null],
      ['__proto__'],
    ]
    const late = [[{ method: 'totp', at: START + 301_000 }], [{ method: 'totp', at: -1 }]]
    for (const factors of [...bad, ...late]) {
      const answer = await signIn(name, { headers, factors: factors as never })
      refused(t, answer, 500, 'OPTION_INVALID', JSON.stringify(factors))
      t.equal(answer.headers['set-cookie'], undefined)
    }
    t.strictSame(await signInIds(), before)
    t.equal((await me(headers)).statusCode, 200)
  })
}

/** For modes whose sign-ins can get stronger. */
function stepUpContract(
  t: Test,
  name: ModeName,
  mode: ModeUnderTest,
  stepUpWith: NonNullable<ModeUnderTest['stepUpWith']>,
  setUp: (t: Test, options?: Partial<SuiteOptions>) => Promise<Setting>,
): void {
  const enterWeak = async (suite: Setting, options?: Parameters<Suite['signIn']>[1]) => {
    const answer = await suite.signIn(name, options)
    return { headers: mode.present(answer), more: stepUpWith(answer) }
  }
  const methodsOf = (answer: LightMyRequestResponse) =>
    answer.json().factors?.map(({ method }: GivenFactor) => method)

  t.test('a step-up adds factors, and everything else of the sign-in stays', async (t) => {
    const suite = await setUp(t)
    const { me, clock, app, stepUp } = suite
    const { headers, more } = await enterWeak(suite, { claims: { team: 'blue' }, remember: true })
    const before = (await me(headers)).json()
    const record = (await app.signIns.list(ALICE.id))[0]
    clock.advance(60)
    const answer = await stepUp(headers, ['totp'], more)
    t.equal(answer.statusCode, 200)
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal(answer.json().issued.signInId, before.signInId)
    const at = Math.floor(clock.now / 1000) * 1000
    const factors = [
      { method: 'password', at: before.factors[0].at },
      { method: 'totp', at },
    ]
    t.strictSame((await me(mode.present(answer))).json(), { ...before, factors })
    const [now, ...others] = await app.signIns.list(ALICE.id)
    t.equal(others.length, 0, 'it is one entry of the list')
    const { createdAt, absoluteExpiresAt, epoch, generation } = record ?? {}
    t.match(now, { createdAt, absoluteExpiresAt, epoch, generation })
    t.strictSame(
      now?.factors?.map(({ method }) => method),
      ['password', 'totp'],
    )
  })

  t.test('the credential from before stays as weak as it was', async (t) => {
    const suite = await setUp(t)
    const { me, clock, stepUp } = suite
    const { headers, more } = await enterWeak(suite)
    t.strictSame(methodsOf(await me(headers)), ['password'])
    const strong = mode.present(await stepUp(headers, ['passkey'], more))
    const { outlivesStepUp = mode.lifetime } = mode
    clock.now += outlivesStepUp * 1000 - 1
    t.strictSame(methodsOf(await me(headers)), ['password'])
    clock.now += 1
    t.equal((await me(headers)).statusCode, 401)
    if (outlivesStepUp < mode.lifetime) t.strictSame(methodsOf(await me(strong)), ['password', 'passkey'])
  })

  t.test('a factor that is given again has the new time', async (t) => {
    const suite = await setUp(t)
    const { me, clock, stepUp } = suite
    const { headers, more } = await enterWeak(suite)
    clock.advance(30)
    const strong = mode.present(await stepUp(headers, ['password'], more))
    const at = Math.floor(clock.now / 1000) * 1000
    t.match((await me(strong)).json(), { authTime: START, factors: [{ method: 'password', at }] })
  })

  t.test('an unknown factor does not step up a sign-in', async (t) => {
    const suite = await setUp(t)
    const { headers, more } = await enterWeak(suite)
    for (const factors of [[], ['sms' as never]]) {
      const answer = await suite.stepUp(headers, factors, more)
      refused(t, answer, 500, 'OPTION_INVALID')
      t.equal(answer.headers['set-cookie'], undefined)
    }
    t.strictSame(methodsOf(await suite.me(headers)), ['password'])
    t.strictSame((await suite.app.signIns.list(ALICE.id))[0]?.factors, [{ method: 'password', at: START }])
  })

  for (const [how, end] of Object.entries(ENDS)) {
    for (const [operation, nth] of STEPS) {
      t.test(`a sign-in that is ${how} at the ${nth}. ${operation} of a step-up stays ended`, async (t) => {
        const { store, hold } = heldStore(createMemoryStore())
        const suite = await setUp(t, { store })
        const { headers, more } = await enterWeak(suite)
        await suite.me(headers)
        const held = hold(operation, nth)
        const stepping = suite.stepUp(headers, ['totp'], more).then((answer) => answer)
        await held.reached
        await end(suite)
        held.release()
        const answer = await stepping
        t.equal(answer.statusCode, 401, answer.body)
        t.notMatch(String(answer.headers['set-cookie']), /=v1/, 'no credential is handed out')
        t.notOk('issued' in answer.json())
        t.strictSame(await suite.app.signIns.list(ALICE.id), [])
        refused(t, await suite.me(headers), 401, 'SIGNED_OUT')
      })
    }
  }

  t.test('when the store cannot answer, a step-up is 503 and the credential stays good', async (t) => {
    const { store, failing } = faultyStore(createMemoryStore())
    const suite = await setUp(t, { store })
    const { headers, more } = await enterWeak(suite)
    for (const operation of ['findSignIn', 'resealSignIn'] as const) {
      failing.add(operation)
      const answer = await suite.stepUp(headers, ['totp'], more)
      refused(t, answer, 503, 'STORE_UNAVAILABLE', operation)
      t.equal(answer.headers['set-cookie'], undefined)
      failing.clear()
      t.strictSame(methodsOf(await suite.me(headers)), ['password'])
    }
  })

  t.test('over a store that cannot replace a seal, a step-up is refused', async (t) => {
    const inner = createMemoryStore()
    const store = new Proxy(inner, {
      get(target, operation) {
        const value: unknown = operation === 'resealSignIn' ? undefined : Reflect.get(target, operation)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const suite = await setUp(t, { store })
    const { headers, more } = await enterWeak(suite)
    refused(t, await suite.stepUp(headers, ['totp'], more), 503, 'STORE_UNAVAILABLE')
    t.strictSame(methodsOf(await suite.me(headers)), ['password'])
  })
}

/** The store's operations of every step-up. */
const STEPS = [
  ['findSignIn', 1],
  ['findSignIn', 2],
  ['resealSignIn', 1],
] as const

const ENDS: Record<string, (suite: Setting) => Promise<unknown>> = {
  'signed out': async ({ app }) => app.signIns.endAll(ALICE.id),
  'ended by a new password': async ({ app }) => app.signIns.raiseEpoch({ id: ALICE.id, epoch: 1 }),
}

/** For modes whose credentials are made with the ring's keys. */
function keyContract(
  t: Test,
  setUp: (t: Test, options?: Partial<SuiteOptions>) => Promise<Setting>,
  mode: ModeUnderTest,
): void {
  t.test('a restart signs nobody out', async (t) => {
    const shared = { store: createMemoryStore(), clock: new TestClock() }
    const headers = await (await setUp(t, shared)).enter()
    const restarted = await setUp(t, shared)
    t.equal((await restarted.me(headers)).json().username, 'alice')
    await restarted.leave(headers)
    refused(t, await restarted.me(headers), 401, 'SIGNED_OUT')
  })

  t.test('a credential of another ring is refused', async (t) => {
    const store = createMemoryStore()
    const headers = await (await setUp(t, { store })).enter()
    const stranger = await setUp(t, { store, identity: { secrets: [NEXT_SECRET] } })
    refused(t, await stranger.me(headers), 401, mode.codes.altered)
  })

  t.test('rotating the secrets in three steps signs nobody out', async (t) => {
    const store = createMemoryStore()
    const clock = new TestClock()
    const steps = [[SECRET], [SECRET, NEXT_SECRET], [NEXT_SECRET, SECRET], [NEXT_SECRET]]
    const deploys = await Promise.all(
      steps.map((secrets) => setUp(t, { store, clock, identity: { secrets } })),
    )
    for (const [issued, issuer] of deploys.entries()) {
      const headers = await issuer.enter()
      for (const [served, server] of deploys.entries()) {
        // Two neighbouring deploys serve side by side while one replaces the other.
        if (Math.abs(served - issued) > 1) continue
        // A deploy takes longer than what an instance keeps in memory lives.
        clock.advance(200)
        t.equal((await server.me(headers)).statusCode, 200, `issued in step ${issued}, served in ${served}`)
      }
    }
  })
}
