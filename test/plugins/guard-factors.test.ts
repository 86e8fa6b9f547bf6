import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { GivenFactor, Identity } from '../../plugins/lib/contract.js'
import type { GuardOptions } from '../../plugins/lib/identity/guard.js'
import {
  ALICE,
  buildSuite,
  handMadeMode,
  identityFor,
  refused,
  START,
  scriptedMode,
  TestClock,
} from '../helpers/suite.js'

const MINUTE = 60_000
const ago = (method: GivenFactor['method'], minutes: number): GivenFactor => ({
  method,
  at: START - minutes * MINUTE,
})
const TWO = 'acr_values="urn:fastify-identity:factors:2"'
const CHALLENGE = 'Bearer error="insufficient_user_authentication"'

interface Asked {
  readonly identity?: Partial<Identity>
  readonly before?: (app: FastifyInstance) => unknown
}

/** The answer of a guard to a caller with these factors. */
async function ask(t: Test, options: GuardOptions, factors: Identity['factors'], asked: Asked = {}) {
  const caller = { ...identityFor(ALICE, 'token'), ...(factors && { factors }), ...asked.identity }
  const { app } = await buildSuite(t, {
    modes: [handMadeMode(scriptedMode('token', () => ({ kind: 'identity', identity: { ...caller } })))],
    clock: new TestClock(),
    ...(asked.before && { before: asked.before }),
    routes(app) {
      app.get('/', { preHandler: app.guard(options) }, async () => 'in')
    },
  })
  return app.inject('/')
}

/** An application that knows who has a second factor. */
const knows = (has: (accountId: string) => unknown) => (app: FastifyInstance) =>
  app.decorate('secondFactors', { has } as never)

t.test('a guard asks for a number of factors; a passkey counts as two', async (t) => {
  const cases: [GuardOptions['factors'], GivenFactor['method'][], number][] = [
    [1, ['password'], 200],
    [1, ['external'], 200],
    [2, ['password'], 403],
    [2, ['external'], 403],
    [2, ['recovery_code'], 403],
    [2, ['password', 'totp'], 200],
    [2, ['password', 'recovery_code'], 200],
    [2, ['external', 'totp'], 200],
    [2, ['passkey'], 200],
    [2, [], 403],
    [1, [], 403],
  ]
  for (const [factors, methods, status] of cases) {
    const given = methods.map((method) => ago(method, 60))
    const answer = await ask(t, factors ? { factors } : {}, given)
    if (status === 200) t.equal(answer.statusCode, 200, `${factors} of ${methods}`)
    else refused(t, answer, 403, 'FACTOR_REQUIRED', `${factors} of ${methods}`)
    const challenge = factors === 2 ? `${CHALLENGE}, ${TWO}` : CHALLENGE
    if (status === 403) t.equal(answer.headers['www-authenticate'], challenge)
  }
})

t.test('an identity of a mode without factors counts as one, and one without a time as none', async (t) => {
  t.equal((await ask(t, { factors: 1 }, undefined)).statusCode, 200)
  refused(t, await ask(t, { factors: 2 }, undefined), 403, 'FACTOR_REQUIRED')
  for (const authTime of [undefined, null, '2026']) {
    const answer = await ask(t, { factors: 1 }, undefined, { identity: { authTime } as never })
    refused(t, answer, 403, 'FACTOR_REQUIRED', String(authTime))
  }
})

t.test('fresh looks at the oldest of the factors that the guard needs', async (t) => {
  const cases: [GuardOptions, GivenFactor[], number | string][] = [
    [{ fresh: true }, [ago('password', 11)], 'SIGN_IN_TOO_OLD'],
    [{ fresh: true }, [ago('password', 10)], 200],
    [{ fresh: true }, [ago('password', 60), ago('totp', 1)], 200],
    [{ factors: 2, fresh: true }, [ago('password', 1), ago('totp', 60)], 'SIGN_IN_TOO_OLD'],
    [{ factors: 2, fresh: true }, [ago('password', 60), ago('totp', 1)], 'SIGN_IN_TOO_OLD'],
    [{ factors: 2, fresh: true }, [ago('password', 9), ago('totp', 10)], 200],
    [{ factors: 2, fresh: true }, [ago('password', 9)], 'FACTOR_REQUIRED'],
    [{ factors: 2, fresh: true }, [ago('password', 1), ago('passkey', 60)], 'SIGN_IN_TOO_OLD'],
    [{ factors: 2, fresh: true }, [ago('password', 60), ago('passkey', 1)], 200],
    [{ factors: 2, fresh: true }, [ago('password', 60), ago('totp', 2), ago('recovery_code', 1)], 200],
    [{ factors: 1, fresh: 60 }, [ago('password', 1)], 200],
    [{ factors: 1, fresh: 60 }, [ago('password', 2)], 'SIGN_IN_TOO_OLD'],
    [{ fresh: true }, [ago('password', -11)], 'SIGN_IN_TOO_OLD'],
    [{ fresh: true }, [{ method: 'password', at: Number.NaN }], 'SIGN_IN_TOO_OLD'],
    [{ fresh: true }, [], 'SIGN_IN_TOO_OLD'],
  ]
  for (const [options, factors, expected] of cases) {
    const answer = await ask(t, options, factors)
    const what = JSON.stringify([options, factors])
    if (typeof expected === 'number') t.equal(answer.statusCode, expected, what)
    else {
      refused(t, answer, 403, expected, what)
      const age = `${CHALLENGE}, max_age="${options.fresh === 60 ? 60 : 600}"`
      t.equal(answer.headers['www-authenticate'], options.factors === 2 ? `${age}, ${TWO}` : age)
    }
  }
})

t.test('where the account has a second factor, fresh means with it', async (t) => {
  const asked: string[] = []
  const before = knows(async (id) => {
    asked.push(id)
    return true
  })
  const weak = await ask(t, { fresh: true }, [ago('password', 1)], { before })
  refused(t, weak, 403, 'FACTOR_REQUIRED')
  t.equal(weak.headers['www-authenticate'], `${CHALLENGE}, max_age="600", ${TWO}`)
  const old = await ask(t, { fresh: true }, [ago('password', 1), ago('totp', 60)], { before })
  refused(t, old, 403, 'SIGN_IN_TOO_OLD')
  t.equal(old.headers['www-authenticate'], `${CHALLENGE}, max_age="600", ${TWO}`)
  t.strictSame(asked.splice(0), [ALICE.id, ALICE.id])
  for (const factors of [[ago('password', 1), ago('totp', 2)], [ago('passkey', 1)]]) {
    t.equal((await ask(t, { fresh: true }, factors, { before })).statusCode, 200)
  }
  t.equal((await ask(t, { factors: 1 }, [ago('password', 1)], { before })).statusCode, 200)
  t.strictSame(asked, [], 'who needs no answer is not asked about')
})

t.test('an account without a second factor passes by a recent password', async (t) => {
  const before = knows(async () => false)
  t.equal((await ask(t, { fresh: true }, [ago('password', 1)], { before })).statusCode, 200)
  const old = await ask(t, { fresh: true }, [ago('password', 11)], { before })
  refused(t, old, 403, 'SIGN_IN_TOO_OLD')
  t.equal(old.headers['www-authenticate'], `${CHALLENGE}, max_age="600"`)
})

t.test('nobody passes while the question is open, or fails', async (t) => {
  const failing = knows(() => Promise.reject(Object.assign(new Error('away'), { statusCode: 503 })))
  t.equal((await ask(t, { fresh: true }, [ago('password', 1)], { before: failing })).statusCode, 503)
  // biome-ignore lint/suspicious/noThenProperty: a driver's own kind of promise
  const thenable = knows(() => ({ then: (done: (has: boolean) => void) => setImmediate(done, true) }))
  refused(
    t,
    await ask(t, { fresh: true }, [ago('password', 1)], { before: thenable }),
    403,
    'FACTOR_REQUIRED',
  )
})

t.test(
  'no second factor is looked up for a caller that another rule refuses, or for an API key',
  async (t) => {
    const before = knows(() => t.fail('it was asked'))
    const options = { fresh: true, role: 'nobody' } as const
    refused(t, await ask(t, options, [ago('password', 1)], { before }), 403, 'ROLE_REQUIRED')
    const key = { authTime: undefined, scopes: [] } as never
    refused(t, await ask(t, { fresh: true }, undefined, { before, identity: key }), 403, 'SIGN_IN_TOO_OLD')
  },
)

t.test('the order of the rules: role, factors, fresh, and the application’s own rule last', async (t) => {
  const before = knows(async () => true)
  const rule = { allow: () => t.fail('it was asked') as never }
  const weak = [ago('password', 60)]
  refused(t, await ask(t, { ...rule, role: 'x', factors: 2 }, weak, { before }), 403, 'ROLE_REQUIRED')
  refused(t, await ask(t, { ...rule, factors: 2, fresh: true }, weak, { before }), 403, 'FACTOR_REQUIRED')
  refused(t, await ask(t, { ...rule, fresh: true }, weak, { before }), 403, 'FACTOR_REQUIRED')
  const strong = [ago('passkey', 1)]
  const denied = await ask(t, { factors: 2, fresh: true, allow: () => false }, strong, { before })
  refused(t, denied, 403, 'NOT_ALLOWED')
})

t.test('a second guard asks for more than the first', async (t) => {
  const caller = { ...identityFor(ALICE, 'token'), factors: [ago('password', 1)] }
  const { app } = await buildSuite(t, {
    modes: [handMadeMode(scriptedMode('token', () => ({ kind: 'identity', identity: { ...caller } })))],
    before: knows(async () => true),
    routes(app) {
      app.get('/two', { preHandler: [app.guard(), app.guard({ factors: 2 })] }, async () => 'in')
      app.get('/fresh', { preHandler: [app.guard(), app.guard({ fresh: true })] }, async () => 'in')
    },
  })
  for (const url of ['/two', '/fresh']) refused(t, await app.inject(url), 403, 'FACTOR_REQUIRED', url)
})
