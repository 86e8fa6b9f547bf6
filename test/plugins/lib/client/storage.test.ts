import { type Test, test } from 'tap'
import { settle, TestBrowser } from '../../../helpers/client-browser.js'
import { USER } from '../../../helpers/http.js'
import { startUserCenter } from '../../../helpers/user-center.js'

async function start(t: Test) {
  const { app } = await startUserCenter(t)
  return { browser: new TestBrowser(t, app) }
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
