import { type Test, test } from 'tap'
import { settle, TestBrowser } from '../../../helpers/client-browser.js'
import { USER } from '../../../helpers/http.js'
import { startUserCenter } from '../../../helpers/user-center.js'

async function start(t: Test) {
  const { app, clock } = await startUserCenter(t)
  return { app, clock, browser: new TestBrowser(t, app) }
}

test('what a dead refresh token in a storage leaves is a signed-out client', async (t) => {
  const { browser } = await start(t)
  const stored = ['v1.forged']
  const storage = { load: async () => stored[0] ?? null, save: async () => void stored.splice(0) }
  const tab = browser.tab({ storage })
  t.equal((await tab.client.fetch('/user_info')).status, 403)
  await settle()
  t.same(tab.events, [{ type: 'signed_out', error: 'REFRESH_REFUSED' }])
  t.same(stored, [])
  t.match(await (await tab.client.fetch('/user_info')).json(), { error: 'NOT_SIGNED_IN' })
  t.same(tab.asked, ['/refresh_token', '/user_info'])
})

test('a storage that fails is the same as memory', async (t) => {
  const { browser } = await start(t)
  const fail = () => Promise.reject(new Error('full'))
  const tab = browser.tab({ storage: { load: fail, save: fail } })
  t.ok((await tab.client.signIn(USER)).ok)
  t.equal((await tab.client.fetch('/sign_ins')).status, 200)
  t.equal(await tab.client.refresh(), null)
  t.same(
    tab.events.map(({ type }) => type),
    ['signed_in', 'refreshed'],
  )
})

/** A storage with a refresh token, which a test can make silent. */
function muteStorage(stored: string | null = null) {
  const state = { stored, saved: [] as (string | null)[], isSilent: false }
  const storage = {
    load: async () => (state.isSilent ? new Promise<never>(() => {}) : state.stored),
    save: async (token: string | null) => {
      state.saved.push(token)
      state.stored = token
    },
  }
  return { state, storage }
}

test('a storage that is silent for three seconds is not an empty one', async (t) => {
  const { browser } = await start(t)
  const { state, storage } = muteStorage()
  await browser.tab({ storage }).client.signIn(USER)
  state.isSilent = true
  state.saved.length = 0
  const reloaded = browser.tab({ storage })
  const asks: (() => Promise<unknown>)[] = [
    () => reloaded.client.fetch('/user_info'),
    () => reloaded.client.signOut(),
  ]
  for (const ask of asks) {
    const failed = t.rejects(ask, { name: 'TimeoutError' })
    await browser.clock.pass(3000)
    await failed
  }
  t.same(reloaded.asked, [], 'nothing is sent in nobody’s name')
  t.same(reloaded.events, [])
  t.same(state.saved, [], 'nothing is overwritten')
  state.isSilent = false
  t.equal((await reloaded.client.fetch('/user_info')).status, 200)
})

test('while the storage is silent, the token in memory is not exchanged: it may be an old one', async (t) => {
  const { app, clock, browser } = await start(t)
  const alarms: string[] = []
  app.audit.subscribe(({ type }) => void alarms.push(type))
  const { state, storage } = muteStorage()
  // Two programs on one storage, such as two servers: they have no channel.
  const alone = { openChannel: () => ({ postMessage() {}, onmessage: null, close() {} }) }
  const [one, other] = [browser.tab({ storage }, alone), browser.tab({ storage }, alone)]
  await one.client.signIn(USER)
  t.equal((await other.client.fetch('/user_info')).status, 200, 'it has exchanged the token of the first')
  clock.advance(901)
  await browser.clock.pass(901_000)
  state.isSilent = true
  const failed = t.rejects(one.client.fetch('/user_info'), { name: 'TimeoutError' })
  await browser.clock.pass(3000)
  await failed
  state.isSilent = false
  t.equal((await one.client.fetch('/user_info')).status, 200)
  t.equal(one.events.filter(({ type }) => type === 'signed_out').length, 0)
  t.notOk(alarms.includes('refresh_reuse_detected'))
})

test('a sign-in that ends while the storage is silent leaves the storage as it is', async (t) => {
  const { browser } = await start(t)
  const { state, storage } = muteStorage()
  const tab = browser.tab({ storage })
  await tab.client.signIn(USER)
  const { stored } = state
  state.isSilent = true
  t.ok((await tab.client.signOut()).ok)
  await browser.clock.pass(3000)
  t.equal(state.stored, stored)
  t.match(tab.events.at(-1), { type: 'signed_out', error: 'SIGNED_OUT' })
  state.isSilent = false
  t.equal((await browser.tab({ storage }).client.fetch('/user_info')).status, 403, 'the token in it is dead')
})
