import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { FactorSource } from '../../plugins/lib/factors/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { addAccount, addTotp, type Client, factorApp, PASSWORD } from '../helpers/factor-app.js'
import { memoryFactors } from '../helpers/memory-factors.js'
import { faultyStore, type Operation } from '../helpers/suite.js'

const RIGHT = { username: 'alice', password: PASSWORD }
const WRONG = { ...RIGHT, password: 'wrong' }

async function start(t: Test, more: Parameters<typeof factorApp>[1] = {}) {
  const made = await factorApp(t, more)
  const account = await addAccount(made.app)
  return { ...made, account, ...(await addTotp(made.app, made.clock)) }
}

const statusOf = async (answer: Promise<{ statusCode: number }>) => (await answer).statusCode
const finish = (client: Client, pending: string, code: string) =>
  statusOf(client.post('/finish', { pending, factor: 'totp', code }))

/** Gives the password in a browser of its own, at an address of its own, and then a code. */
async function guess(client: (address?: string) => Client, each: number, code = '000000', mode = 'cookie') {
  const attacker = client(`198.51.100.${each}`)
  return finish(attacker, await attacker.pending(mode), code)
}

t.test('the password step is no attempt, and forgets none', async (t) => {
  const { client, app } = await start(t, { throttle: { accountLimit: 3 } })
  const browser = client()
  await browser.post('/login/cookie', WRONG)
  for (let each = 0; each < 10; each++) await browser.pending()
  t.notOk(browser.jar.has('device'))
  t.equal(await statusOf(browser.post('/login/cookie', WRONG)), 401)
  await browser.pending()
  t.equal(await statusOf(browser.post('/login/cookie', WRONG)), 401)
  t.equal(await statusOf(browser.post('/login/cookie', RIGHT)), 429, 'ten right passwords reset nothing')
  t.strictSame(
    await app.throttle.knowsDevice({ headers: { cookie: browser.cookie } } as never, 'alice'),
    false,
  )
})

t.test('a sign-in that is finished forgets the wrong passwords, and its device is known', async (t) => {
  const { client, code } = await start(t, { throttle: { accountLimit: 3 } })
  const browser = client()
  for (let each = 0; each < 2; each++) await browser.post('/login/cookie', WRONG)
  t.equal(await finish(browser, await browser.pending(), code()), 200)
  const stranger = client()
  for (let each = 0; each < 2; each++) t.equal(await statusOf(stranger.post('/login/cookie', WRONG)), 401)
  t.equal(await statusOf(stranger.post('/login/cookie', WRONG)), 401)
  t.equal(await statusOf(stranger.post('/login/cookie', RIGHT)), 429)
  t.equal(await statusOf(browser.post('/login/cookie', RIGHT)), 401, 'from there the password is still asked')
})

t.test('tries count by account, over pendings, addresses and modes', async (t) => {
  const { app, client, now, code } = await start(t)
  const refusals: unknown[] = []
  app.audit.subscribe((event) => {
    if (event.type === 'factor_refused') refusals.push([event.reason, event.failures])
  })
  const modes = ['cookie', 'session', 'token'] as const
  for (let each = 0; each < 10; each++) t.equal(await guess(client, each, '000000', modes[each % 3]), 401)
  t.strictSame(
    refusals,
    Array.from({ length: 10 }, (_, each) => ['wrong', each + 1]),
    'the fifth in a row can be told to the owner, whatever pendings they were made by',
  )
  t.equal(await guess(client, 11, code()), 429, 'the right one, too')
  const attacker = client('203.0.113.9')
  const pending = await attacker.pending()
  for (let each = 0; each < 8; each++) t.equal(await finish(attacker, pending, now()), 429)
  t.equal(await statusOf(client().post('/login/cookie', WRONG)), 401, 'passwords are counted apart')
})

t.test('a try that the throttle refused is none of the five of its pending sign-in', async (t) => {
  const { client, clock, now } = await start(t, {
    throttle: { accountLimit: 1, firstDelay: 1, longestDelay: 1 },
  })
  const browser = client()
  const pending = await browser.pending()
  t.equal(await finish(browser, pending, '000000'), 401)
  for (let each = 0; each < 9; each++) t.equal(await finish(browser, pending, '000000'), 429)
  clock.advance(31)
  t.equal(await finish(browser, pending, now()), 200)
})

t.test('somebody with the password cannot keep the owner’s device out', async (t) => {
  const { client, code, now, owner } = await start(t)
  t.ok(owner.jar.has('device'), 'of the time before there was a factor')
  const home = client('192.0.2.1')
  t.equal(await finish(home, await home.pending(), code()), 200)
  for (let each = 0; each < 10; each++) t.equal(await guess(client, each), 401)
  t.equal(await guess(client, 11), 429)
  // From the owner's own address, too.
  const neighbour = client('192.0.2.1')
  for (let each = 0; each < 5; each++) await finish(neighbour, await neighbour.pending(), '000000')
  t.equal(await finish(home, await home.pending(), code()), 200)
  const weak = client('203.0.113.1')
  weak.jar.set('device', owner.jar.get('device') ?? '')
  t.equal(
    await finish(weak, await weak.pending(), now()),
    429,
    'a device that only knew the password is none',
  )
})

t.test('a fault of any store is 503, and costs neither a try nor a code', async (t) => {
  const { store, failing } = faultyStore(createMemoryStore(), { promises: true })
  const { client, code, now } = await start(t, { state: { store } })
  const faults: Operation[] = [
    'createSession',
    'readSession',
    'replaceSession',
    'destroySession',
    'addSignIn',
  ]
  const browser = client()
  failing.add('createSession')
  t.equal(await statusOf(browser.post('/login/cookie', RIGHT)), 503)
  t.notOk(browser.jar.has('pending'))
  failing.clear()
  const pending = await browser.pending()
  const right = code()
  for (const fault of faults.slice(1, 3)) {
    failing.add(fault)
    for (let each = 0; each < 20; each++) t.equal(await finish(browser, pending, right), 503, fault)
    failing.clear()
  }
  t.equal(await finish(browser, pending, now()), 200)
  for (const fault of faults.slice(3)) {
    const text = await browser.pending()
    failing.add(fault)
    t.equal(await finish(browser, text, code()), 503, fault)
    failing.clear()
    t.equal(await finish(browser, text, now()), 401, `${fault}: the code is spent`)
  }
})

t.test('a fault of the factors’ database is 503, and costs no try', async (t) => {
  const failing = new Set<string>()
  const source = new Proxy(memoryFactors().source, {
    get(target, name: keyof FactorSource) {
      return failing.has(name) ? () => Promise.reject(new StoreUnavailable()) : target[name]
    },
  })
  const { client, code } = await start(t, { factors: { source } })
  const browser = client()
  failing.add('list')
  t.equal(await statusOf(browser.post('/login/cookie', RIGHT)), 503, 'nobody gets in without a factor')
  failing.clear()
  const pending = await browser.pending()
  const right = code()
  for (const fault of ['list', 'spend']) {
    failing.add(fault)
    for (let each = 0; each < 20; each++) t.equal(await finish(browser, pending, right), 503, fault)
    failing.clear()
  }
  t.equal(await finish(browser, pending, right), 200)
})
