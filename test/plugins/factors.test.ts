import t, { type Test } from 'tap'
import type { FactorsOptions } from '../../plugins/factors.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { memoryFactors } from '../helpers/memory-factors.js'
import { buildFactorApp } from '../helpers/own-factor-app.js'
import { NEXT_SECRET, refused, SECRET } from '../helpers/suite.js'
import { totpCode } from '../helpers/totp.js'

const FORM = /^[0-9A-HJKMNP-TV-Z]{6}(-[0-9A-HJKMNP-TV-Z]{6}){3}$/
const MINUTE = 60_000

/** So many attempts that a test meets no limit. */
const UNLIMITED = { accountLimit: 1000, addressLimit: 1000 }

async function setUp(t: Test, factors: FactorsOptions = {}, throttle: object = UNLIMITED) {
  const { source, rows } = memoryFactors()
  return { ...(await buildFactorApp(t, { factors: { source, ...factors }, throttle })), source, rows }
}

t.test('an enrolment begins with a secret, and stores nothing', async (t) => {
  const { app, accounts, rows, events } = await setUp(t, { issuer: 'Müller & Söhne' })
  const { id, secret, uri } = await app.factors.beginTotp(accounts.of('alice'))
  t.match(secret, /^[A-Z2-7]{32}$/, '160 bits')
  const { protocol, pathname, searchParams } = new URL(uri)
  t.same([protocol, decodeURIComponent(pathname)], ['otpauth:', '/Müller & Söhne:alice'])
  t.same(Object.fromEntries(searchParams), {
    ...{ issuer: 'Müller & Söhne', secret, algorithm: 'SHA1', digits: '6', period: '30' },
  })
  t.notMatch(id, secret)
  t.equal(rows.size, 0)
  t.same(await app.factors.kinds('alice'), [])
  t.same(events, [])
})

t.test('a code confirms it, and brings ten recovery codes', async (t) => {
  const { app, clock, enrol, events, rows } = await setUp(t)
  const start = clock.now
  const { secret, recoveryCodes } = await enrol('alice', 'the phone')
  t.equal(new Set(recoveryCodes).size, 10)
  for (const code of recoveryCodes) t.match(code, FORM)
  const [totp, codes] = await app.factors.list('alice')
  t.match(totp, { kind: 'totp', name: 'the phone', createdAt: start, lastUsedAt: null })
  t.match(codes, { kind: 'recovery_code', name: '', left: 10 })
  t.same(await app.factors.kinds('alice'), ['totp', 'recovery_code'])
  t.same(
    events.map((event) => [event.type, 'kind' in event && event.kind, event.ip]),
    [
      ['factor_added', 'totp', '127.0.0.1'],
      ['factor_added', 'recovery_code', '127.0.0.1'],
    ],
  )
  const stored = JSON.stringify([...rows.values(), await app.factors.list('alice'), events])
  for (const text of [secret, ...recoveryCodes]) t.notMatch(stored, text)
  t.equal(await app.secondFactors?.has('alice'), true)
  t.equal(await app.secondFactors?.has('bob'), false)
})

t.test('an enrolment that is not confirmed rightly leaves nothing', async (t) => {
  const { app, accounts, clock, post, rows, events } = await setUp(t)
  const alice = accounts.of('alice')
  const { id, secret } = await app.factors.beginTotp(alice)
  const other = await app.factors.beginTotp(alice)
  const right = () => totpCode(secret, clock.now)
  const confirm = (code: string, text = id, account = 'alice') =>
    post('/confirm', { account, id: text, code })
  const wrong = String((Number(right()) + 1) % 1_000_000).padStart(6, '0')
  const altered = `${id.slice(0, 40)}${id[40] === 'A' ? 'B' : 'A'}${id.slice(41)}`
  refused(t, await confirm(wrong), 401, 'FACTOR_REFUSED')
  t.match(events.at(-1), { type: 'factor_refused', kind: 'totp', reason: 'wrong', failures: 1 })
  refused(t, await confirm(right(), other.id), 401, 'FACTOR_REFUSED')
  refused(t, await confirm(right(), id, 'bob'), 401, 'FACTOR_REFUSED')
  refused(t, await confirm(right(), altered), 401, 'FACTOR_REFUSED')
  refused(t, await confirm(right(), ''), 401, 'FACTOR_REFUSED')
  clock.now += 10 * MINUTE
  refused(t, await confirm(right()), 401, 'FACTOR_REFUSED')
  t.equal(rows.size, 0)
  t.notOk(events.some(({ type }) => type === 'factor_added'))
  const young = await app.factors.beginTotp(alice)
  accounts.raise('alice')
  const code = totpCode(young.secret, clock.now)
  refused(t, await post('/confirm', { account: 'alice', id: young.id, code }), 401, 'FACTOR_REFUSED')
  t.equal(rows.size, 0, 'the password was changed meanwhile')
})

t.test('one enrolment makes one factor, and its code does not sign in as well', async (t) => {
  const { app, accounts, clock, post, login, finish, rows } = await setUp(t)
  const { id, secret } = await app.factors.beginTotp(accounts.of('alice'))
  const body = { account: 'alice', id, code: totpCode(secret, clock.now) }
  const answers = await Promise.all(Array.from({ length: 4 }, () => post('/confirm', body)))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 401, 401, 401])
  t.equal(rows.size, 2)
  const { pending } = await login('alice')
  refused(t, await finish(pending, 'totp', body.code), 401, 'FACTOR_REFUSED')
})

t.test('an enrolment does not bring back its factor after the removal', async (t) => {
  const { app, accounts, clock, post, rows } = await setUp(t)
  const { id, secret } = await app.factors.beginTotp(accounts.of('alice'))
  const confirm = () => post('/confirm', { account: 'alice', id, code: totpCode(secret, clock.now) })
  t.equal((await confirm()).statusCode, 200)
  const [totp] = await app.factors.list('alice')
  t.equal(await app.factors.remove('alice', totp?.id ?? ''), true)
  clock.now += MINUTE
  refused(t, await confirm(), 401, 'FACTOR_REFUSED')
  t.equal(rows.size, 0)
})

t.test('a factor that is stored after the epoch was raised does not stay', async (t) => {
  const { source, rows } = memoryFactors()
  const { app, accounts, clock, post, enrol, events } = await buildFactorApp(t, {
    factors: {
      source: {
        ...source,
        async add(factor, cap) {
          if (factor.accountId === 'bob') accounts.raise('bob')
          return source.add(factor, cap)
        },
      },
    },
  })
  const { id, secret } = await app.factors.beginTotp(accounts.of('bob'))
  const confirmed = await post('/confirm', { account: 'bob', id, code: totpCode(secret, clock.now) })
  refused(t, confirmed, 401, 'FACTOR_REFUSED')
  t.same([rows.size, events.some(({ type }) => type === 'factor_added')], [0, false])
  await enrol('alice')
  t.equal(rows.size, 2)
})

t.test('codes that are left over from an earlier factor do not count with the next one', async (t) => {
  const { app, enrol, verify } = await setUp(t)
  const [left = ''] = await app.factors.newRecoveryCodes('alice')
  const { recoveryCodes } = await enrol('alice')
  t.equal(recoveryCodes.length, 10)
  t.same((await verify('alice', 'recovery_code', left)).json(), { verified: null })
})

t.test('a store that cannot spend enrolments has them too', async (t) => {
  const store = createMemoryStore()
  Reflect.set(store, 'spendOnce', undefined)
  const { app, enrol } = await buildFactorApp(t, { store })
  await enrol('alice')
  t.same(await app.factors.kinds('alice'), ['totp', 'recovery_code'])
})

t.test('recovery codes go with the last two factors if both are removed at once', async (t) => {
  const { app, enrol, rows } = await setUp(t)
  await enrol('alice')
  await enrol('alice')
  const totps = (await app.factors.list('alice')).filter(({ kind }) => kind === 'totp')
  const removed = await Promise.all(totps.map(({ id }) => app.factors.remove('alice', id)))
  t.same(removed, [true, true])
  t.equal(rows.size, 0)
})

t.test('a code of the present step or its neighbours is right, once', async (t) => {
  const { clock, enrol, verify } = await setUp(t)
  const { code } = await enrol('alice')
  clock.now += 10 * MINUTE
  for (const ahead of [-2, 2]) t.same((await verify('alice', 'totp', code(ahead))).json(), { verified: null })
  for (const ahead of [-1, 0, 1]) {
    const given = { method: 'totp', at: clock.now }
    t.same((await verify('alice', 'totp', code(ahead))).json(), { verified: { given } })
    t.same((await verify('alice', 'totp', code(ahead))).json(), { verified: null }, 'used')
  }
})

t.test('a used code makes all older ones worthless', async (t) => {
  const { clock, enrol, verify, events } = await setUp(t)
  const { code } = await enrol('alice')
  clock.now += 10 * MINUTE
  t.ok((await verify('alice', 'totp', code(0))).json().verified)
  t.same((await verify('alice', 'totp', code(-1))).json(), { verified: null })
  t.match(events.at(-1), { type: 'factor_refused', kind: 'totp', reason: 'used', failures: 1 })
})

t.test('a code that is not exactly six digits is refused, and so is somebody else’s', async (t) => {
  const { enrol, verify, rows, events } = await setUp(t)
  const [alice, bob] = [await enrol('alice'), await enrol('bob')]
  const right = alice.code()
  const fullWidth = [...right].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join('')
  const arabic = [...right].map((digit) => String.fromCodePoint(0x660 + Number(digit))).join('')
  const bad: Record<string, unknown> = {
    'of another account': bob.code(),
    'a space before': ` ${right}`,
    'a space behind': `${right} `,
    'a line end': `${right}\n`,
    'a space within': `${right.slice(0, 3)} ${right.slice(3)}`,
    'full-width digits': fullWidth,
    'Arabic digits': arabic,
    'seven digits': `0${right}`,
    'seven, the last one more': `${right}0`,
    'five digits': right.slice(1),
    'a sign': `+${right.slice(1)}`,
    empty: '',
    'a number': Number(right),
    'a list': [right],
    nothing: undefined,
  }
  const before = [...rows.values()]
  for (const [what, code] of Object.entries(bad))
    t.same((await verify('alice', 'totp', code)).json(), { verified: null }, what)
  t.same([...rows.values()], before)
  const refusals = events.filter(({ type }) => type === 'factor_refused')
  t.equal(refusals.length, Object.keys(bad).length)
  t.match(refusals.at(-1), { accountId: 'alice', reason: 'wrong', failures: refusals.length })
  t.ok((await verify('alice', 'totp', right)).json().verified, 'the code itself was right')
})

t.test('an account may have several apps', async (t) => {
  const { app, clock, enrol, verify } = await setUp(t)
  const [one, other] = [await enrol('alice', 'one'), await enrol('alice', 'other')]
  t.same(other.recoveryCodes, [], 'the old codes are still good')
  clock.now += MINUTE
  for (const { code } of [one, other]) t.ok((await verify('alice', 'totp', code())).json().verified)
  t.same(
    (await app.factors.list('alice')).map(({ name, lastUsedAt }) => [name, lastUsedAt]),
    [
      ['one', clock.now],
      ['other', clock.now],
      ['', null],
    ],
    'recovery codes come last',
  )
})

t.test('no more than the cap', async (t) => {
  const { accounts, app, clock, enrol, post } = await setUp(t, { cap: 2 })
  await enrol('alice')
  await enrol('alice')
  const { id, secret } = await app.factors.beginTotp(accounts.of('alice'))
  const third = await post('/confirm', { account: 'alice', id, code: totpCode(secret, clock.now) })
  refused(t, third, 409, 'FACTOR_LIMIT')
  t.equal((await app.factors.list('alice')).length, 3)
})

t.test('a recovery code is good once, in any case, with hyphens or spaces', async (t) => {
  const { app, enrol, verify, clock } = await setUp(t)
  const { recoveryCodes } = await enrol('alice')
  const [one = '', two = '', three = ''] = recoveryCodes
  const given = { method: 'recovery_code', at: clock.now }
  t.same((await verify('alice', 'recovery_code', one)).json(), { verified: { given, left: 9 } })
  t.same((await verify('alice', 'recovery_code', one)).json(), { verified: null })
  t.equal((await verify('alice', 'recovery_code', two.toLowerCase())).json().verified.left, 8)
  t.equal((await verify('alice', 'recovery_code', three.replaceAll('-', ' '))).json().verified.left, 7)
  t.match((await app.factors.list('alice'))[1], { kind: 'recovery_code', left: 7, lastUsedAt: clock.now })
})

t.test('nothing else is a recovery code', async (t) => {
  const { app, enrol, verify } = await setUp(t)
  const [alice, bob] = [await enrol('alice'), await enrol('bob')]
  const [right = ''] = alice.recoveryCodes
  const bad: Record<string, unknown> = {
    'of another account': bob.recoveryCodes[0],
    'without hyphens': right.replaceAll('-', ''),
    'a space behind': `${right} `,
    'one letter less': right.slice(1),
    'full-width': right.replace('-', '－'),
    'another letter': `${right.slice(0, -1)}${right.endsWith('7') ? '8' : '7'}`,
    'a code of the app': alice.code(),
    'a list': alice.recoveryCodes,
    empty: '',
    nothing: undefined,
  }
  for (const [what, code] of Object.entries(bad))
    t.same((await verify('alice', 'recovery_code', code)).json(), { verified: null }, what)
  t.match((await app.factors.list('alice'))[1], { left: 10 })
  t.same((await verify('alice', 'totp', right)).json(), { verified: null })
})

t.test('new recovery codes make the old ones void, also one that is being spent', async (t) => {
  const { app, enrol, verify, source } = await setUp(t)
  const { recoveryCodes } = await enrol('alice')
  const [old] = (await source.list('alice')).filter(({ kind }) => kind === 'recovery_code')
  const fresh = await app.factors.newRecoveryCodes('alice')
  t.notOk(fresh.some((code) => recoveryCodes.includes(code)))
  t.same((await verify('alice', 'recovery_code', recoveryCodes[0])).json(), { verified: null })
  const use = { counter: (old?.counter ?? 0) + 1, at: 0, secret: old?.secret ?? '' }
  t.equal(await source.spend('alice', old?.id ?? '', old?.counter ?? 0, use), false, 'read before')
  t.equal((await verify('alice', 'recovery_code', fresh[0])).json().verified.left, 9)
})

t.test('with the last other factor the recovery codes go', async (t) => {
  const { app, enrol, events, rows } = await setUp(t)
  await enrol('alice')
  await enrol('alice')
  await enrol('bob')
  const [one, two] = await app.factors.list('alice')
  t.equal(await app.factors.remove('bob', one?.id ?? ''), false, 'nobody else’s')
  t.equal(await app.factors.remove('alice', one?.id ?? ''), true)
  t.same(await app.factors.kinds('alice'), ['totp', 'recovery_code'])
  t.equal(await app.factors.remove('alice', two?.id ?? ''), true)
  t.equal(await app.factors.remove('alice', two?.id ?? ''), false)
  t.same(await app.factors.list('alice'), [])
  t.equal(rows.size, 2)
  t.equal(events.filter(({ type }) => type === 'factor_removed').length, 2)
})

t.test('recovery codes alone are no second factor', async (t) => {
  const { app, login, events } = await setUp(t)
  await app.factors.newRecoveryCodes('alice')
  t.same(await app.factors.kinds('alice'), [])
  t.ok((await login('alice')).token)
  t.notOk(events.some(({ type }) => type === 'second_factor_asked'))
})

t.test('used-up recovery codes are not asked for', async (t) => {
  const { app, enrol, verify } = await setUp(t)
  const { recoveryCodes } = await enrol('alice')
  for (const code of recoveryCodes) await verify('alice', 'recovery_code', code)
  t.same(await app.factors.kinds('alice'), ['totp'])
  t.match((await app.factors.list('alice'))[1], { left: 0 })
})

t.test('a factor has a name that people can read', async (t) => {
  const { app, enrol, events } = await setUp(t)
  await enrol('alice')
  const [{ id = '' } = {}] = await app.factors.list('alice')
  t.equal(await app.factors.rename('alice', id, '抽屉里的手机'), true)
  t.equal((await app.factors.list('alice'))[0]?.name, '抽屉里的手机')
  t.equal(await app.factors.rename('bob', id, 'mine'), false)
  t.equal(await app.factors.rename('alice', 'none', 'x'), false)
  t.match(events.at(-1), { type: 'factor_renamed', factorId: id })
  t.notMatch(JSON.stringify(events), '抽屉')
  for (const name of ['a\nb', '\u202Eabc', 'x'.repeat(101)])
    await t.rejects(app.factors.rename('alice', id, name), { code: 'OPTION_INVALID' })
})

t.test('an administrator removes all factors of an account', async (t) => {
  const { app, enrol, events, rows } = await setUp(t)
  await enrol('alice')
  await enrol('bob')
  t.equal(await app.factors.reset('alice', 'admin-1'), 2)
  t.same(await app.factors.list('alice'), [])
  t.equal(rows.size, 2)
  t.match(events.at(-1), { type: 'factors_reset', accountId: 'alice', removed: 2, actorId: 'admin-1' })
  t.equal(await app.factors.reset('alice'), 0)
})

t.test('tries are counted for the account before they are verified', async (t) => {
  const { source, enrol, verify } = await setUp(t, {}, { accountLimit: 5 })
  const { code, recoveryCodes } = await enrol('alice')
  const answers = await Promise.all(Array.from({ length: 40 }, () => verify('alice', 'totp', '000000')))
  const verified = answers.filter(({ statusCode }) => statusCode === 200)
  t.ok(verified.length <= 5, `${verified.length} were verified`)
  refused(t, await verify('alice', 'totp', code()), 429, 'THROTTLED')
  refused(t, await verify('alice', 'recovery_code', recoveryCodes[0]), 429, 'THROTTLED')
  t.equal((await source.list('alice'))[0]?.lastUsedAt, null)
})

t.test('a store that fails refuses, and counts no try', async (t) => {
  const { source, enrol, verify } = await setUp(t, {}, { accountLimit: 3 })
  const { code } = await enrol('alice')
  const { spend } = source
  Object.assign(source, { spend: () => Promise.reject(new StoreUnavailable()) })
  for (let i = 0; i < 5; i += 1) refused(t, await verify('alice', 'totp', code()), 503, 'STORE_UNAVAILABLE')
  Object.assign(source, { spend })
  t.ok((await verify('alice', 'totp', code())).json().verified)
})

t.test('if the factors cannot be read, nobody signs in with the password alone', async (t) => {
  const { source, login, enrol } = await setUp(t)
  await enrol('alice')
  Object.assign(source, { list: () => Promise.reject(new StoreUnavailable()) })
  for (const name of ['alice', 'bob']) {
    const answer = await login(name)
    t.equal(answer.code, 'STORE_UNAVAILABLE')
    t.notOk(answer.token)
  }
})

t.test('options that are unsafe or do nothing stop the start', async (t) => {
  const { source } = memoryFactors()
  const bad: Record<string, [object, RegExp]> = {
    'an address': [{ rpId: '127.0.0.1' }, /rpId/],
    'a scheme': [{ rpId: 'https://example.com' }, /rpId/],
    'capital letters': [{ rpId: 'Example.com' }, /rpId/],
    'a port': [{ rpId: 'example.com:443' }, /rpId/],
    'origins without rpId': [{ origins: ['https://example.com'] }, /rpId/],
    'rpName without rpId': [{ rpName: 'Example' }, /rpId/],
    'another host': [{ rpId: 'example.com', origins: ['https://example.org'] }, /origins/],
    'a host that ends alike': [{ rpId: 'example.com', origins: ['https://badexample.com'] }, /origins/],
    'plain http': [{ rpId: 'example.com', origins: ['http://example.com'] }, /origins/],
    'a path': [{ rpId: 'example.com', origins: ['https://example.com/'] }, /origins/],
    'no origin': [{ rpId: 'example.com', origins: [] }, /origins/],
    'a colon in the issuer': [{ issuer: 'a:b' }, /issuer/],
    'an empty issuer': [{ issuer: '' }, /issuer/],
    'no room': [{ cap: 0 }, /cap/],
    'a source without spend': [{ source: { ...source, spend: undefined } }, /spend/],
    'no source for own accounts': [{ source: undefined }, /source/],
    'a name of another cookie': [{ pendingName: 'device' }, /pendingName/],
    'an unknown one': [{ digits: 8 }, /digits/],
  }
  for (const [what, [factors, message]] of Object.entries(bad)) {
    const starting = buildFactorApp(t, { factors: { source, ...factors } })
    await t.rejects(starting, { code: 'OPTION_INVALID', message }, what)
  }
  const unthrottled = buildFactorApp(t, { throttle: null })
  await t.rejects(unthrottled, { code: 'OPTION_INVALID', message: /throttle/ })
  const good = { rpId: 'example.com', origins: ['https://example.com', 'https://login.example.com:8443'] }
  await buildFactorApp(t, { factors: good })
  await buildFactorApp(t, { factors: { rpId: 'localhost', origins: ['http://localhost:3000'] } })
})

t.test('without rpId there are no passkeys', async (t) => {
  const { app, accounts } = await setUp(t)
  const scope = { purpose: 'login', subject: 'x', accountId: null } as const
  await t.rejects(app.factors.challenge(scope), { code: 'OPTION_INVALID', message: /rpId/ })
  await t.rejects(app.factors.beginPasskey(accounts.of('alice'), 'x'), { code: 'OPTION_INVALID' })
})

const [OLD, NEW] = [SECRET, NEXT_SECRET]

t.test('a secret under an old key works, and its next use seals it under the new one', async (t) => {
  const { source, clock, enrol, rows } = await setUp(t)
  const { code } = await enrol('alice')
  const sealedBy = () => [...rows.values()].find(({ kind }) => kind === 'totp')?.keyId
  const old = sealedBy()
  const next = await buildFactorApp(t, { factors: { source }, secrets: [NEW, OLD], clock })
  t.equal(sealedBy(), old, 'the start alone changes nothing')
  t.ok((await next.verify('alice', 'totp', code())).json().verified)
  const fresh = sealedBy()
  t.not(fresh, old)
  const last = await buildFactorApp(t, { factors: { source }, secrets: [NEW], clock })
  clock.now += MINUTE
  t.ok((await last.verify('alice', 'totp', code())).json().verified)
  t.equal(sealedBy(), fresh)
})

t.test('an application moves all secrets of its own source to the new key', async (t) => {
  const { source, enrol, rows } = await setUp(t)
  const alice = await enrol('alice')
  const bob = await enrol('bob')
  const { app, clock } = await buildFactorApp(t, { factors: { source }, secrets: [NEW, OLD] })
  t.same(await app.factors.resealSecrets(), { resealed: 2, altered: 0 })
  t.same(await app.factors.resealSecrets(), { resealed: 0, altered: 0 })
  clock.now += 10 * MINUTE
  const last = await buildFactorApp(t, { factors: { source }, secrets: [NEW], clock })
  for (const [account, { secret }] of Object.entries({ alice, bob })) {
    t.ok((await last.verify(account, 'totp', totpCode(secret, clock.now))).json().verified, account)
  }
  t.equal(rows.size, 4)
})

t.test('a start without the key of a secret is refused, and names the key', async (t) => {
  const { source, enrol, rows } = await setUp(t)
  await enrol('alice')
  await enrol('bob')
  const before = [...rows.values()]
  const keyId = before.find(({ kind }) => kind === 'totp')?.keyId
  const starting = buildFactorApp(t, { factors: { source }, secrets: [NEW] })
  const error = await t.rejects(starting, { code: 'CONFIG_INVALID' })
  t.match(String(error), `${keyId} (seals 2)`)
  t.match(String(error), /keys reseal/)
  t.notMatch(String(error), NEW)
  t.same([...rows.values()], before)
  await buildFactorApp(t, { factors: { source }, secrets: [NEW, OLD] })
})

t.test('a secret that was moved to another account or altered opens for nobody', async (t) => {
  const { enrol, verify, rows, events } = await setUp(t)
  const [alice, bob] = [await enrol('alice'), await enrol('bob')]
  const of = (name: string) => [...rows.values()].find((row) => row.kind === 'totp' && row.accountId === name)
  const [his, hers] = [of('bob'), of('alice')]
  if (!his || !hers) throw new Error('no factors')
  // Somebody who can write to the database gives the secret of his app to her account.
  rows.set(hers.id, { ...hers, secret: his.secret })
  t.same((await verify('alice', 'totp', bob.code())).json(), { verified: null })
  t.same((await verify('alice', 'totp', alice.code())).json(), { verified: null })
  t.match(events.at(-1), { reason: 'key_lost' })
  rows.set(hers.id, { ...hers, secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', keyId: null })
  t.same((await verify('alice', 'totp', alice.code())).json(), { verified: null })
})
