import t from 'tap'
import { checkGuardOptions, checkOnRefused } from '../../../../plugins/lib/identity/guard-options.js'

t.test('nothing asked for is nothing but a caller', async (t) => {
  const rules = checkGuardOptions({})
  t.strictSame(rules, {
    optional: false,
    roles: null,
    modes: null,
    factors: null,
    ageMax: null,
    onRefused: undefined,
    scopes: null,
    allow: null,
    loginPage: null,
    isProofFresh: false,
  })
  t.ok(Object.isFrozen(rules))
})

t.test('what is asked for is copied and frozen', async (t) => {
  const role = ['admin']
  const rules = checkGuardOptions({
    optional: true,
    role,
    factors: 2,
    fresh: 60,
    modes: ['token'],
    onRefused: 'next',
  })
  role.push('user')
  t.strictSame(rules, {
    optional: true,
    roles: ['admin'],
    modes: ['token'],
    factors: 2,
    ageMax: 60_000,
    onRefused: 'next',
    scopes: null,
    allow: null,
    loginPage: null,
    isProofFresh: false,
  })
  t.ok(Object.isFrozen(rules.roles))
  t.ok(Object.isFrozen(rules.modes))
  t.strictSame(checkGuardOptions({ role: 'admin' }).roles, ['admin'])
  t.equal(checkGuardOptions({ fresh: true }).ageMax, 600_000, 'ten minutes')
})

t.test('a refusal names the option', async (t) => {
  for (const [name, options] of [
    ['roles', { roles: 'admin' }],
    ['role', { role: undefined }],
    ['modes', { modes: [] }],
    ['optional', { optional: 1 }],
    ['onRefused', { onRefused: 'skip' }],
    ['factors', { factors: undefined }],
    ['factors', { factors: 0 }],
    ['factors', { factors: 3 }],
    ['factors', { factors: '2' }],
    ['factors', { factors: ['totp'] }],
    ['scope', { scope: undefined }],
    ['scope', { scope: [] }],
    ['scope', { scope: 'two words' }],
    ['allow', { allow: undefined }],
    ['allow', { allow: true }],
    ['allow', { allow: async () => true }],
    ['proof', { proof: undefined }],
    ['proof', { proof: true }],
    ['loginPage', { loginPage: undefined }],
    ['loginPage', { loginPage: 'login' }],
    ['loginPage', { loginPage: '//evil.example/login' }],
    ['loginPage', { loginPage: 'https://evil.example/login' }],
    ['loginPage', { loginPage: '/login#form' }],
  ] as const) {
    t.throws(() => checkGuardOptions(options as object), {
      code: 'OPTION_INVALID',
      message: new RegExp(`option ${name} `),
    })
  }
  t.throws(() => checkOnRefused(null as never), { code: 'OPTION_INVALID' })
  t.equal(checkOnRefused('next'), 'next')
})
