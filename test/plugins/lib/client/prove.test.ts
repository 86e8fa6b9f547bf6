import { type Test, test } from 'tap'
import { settle, TestBrowser } from '../../../helpers/client-browser.js'
import { enrolTotp } from '../../../helpers/factor-center.js'
import { MODES, signIn, USER } from '../../../helpers/http.js'
import { startUserCenter } from '../../../helpers/user-center.js'

/** A user center where user1 has an authenticator app. */
async function start(t: Test) {
  const { app, clock } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  const totp = await enrolTotp({ app, clock }, credential)
  return { app, clock, totp, browser: new TestBrowser(t, app) }
}

type Tab = ReturnType<TestBrowser['tab']>

/** The first step. @returns the pending sign-in */
async function givePassword(t: Test, { client }: Tab): Promise<string> {
  const { ok, answer } = await client.signIn(USER)
  t.equal(ok, false)
  t.match(answer, { error: 'SECOND_FACTOR_REQUIRED' })
  const { pending, factors } = { pending: '', factors: [], ...answer.data }
  t.same([...factors].sort(), ['recovery_code', 'totp'])
  return pending
}

const statusOf = async ({ client }: Tab, path = '/sign_ins') => (await client.fetch(path)).status

/** Needs a recent sign-in with the second factor. */
const makeCodes = async ({ client }: Tab) =>
  (await client.fetch('/factors/recovery_codes', { method: 'POST' })).status

for (const mode of MODES)
  for (const storage of mode === 'token' ? (['memory', 'cookie'] as const) : (['memory'] as const)) {
    test(`${mode}, ${storage}: a second factor finishes the sign-in`, async (t) => {
      const { browser, totp } = await start(t)
      const tab = browser.tab({ mode, storage })
      const pending = await givePassword(t, tab)
      t.same(tab.events, [], 'nobody is signed in yet')
      const wrong = await tab.client.prove({ pending, factor: 'totp', code: '000000' })
      t.match(wrong, { ok: false, status: 401, answer: { error: 'FACTOR_REFUSED' } })
      t.equal(await statusOf(tab), 403)
      const right = await tab.client.prove({ pending, factor: 'totp', code: totp.next() })
      t.match(right, { ok: true, answer: { auth_type: mode } })
      t.equal(await statusOf(tab), 200)
      t.same(
        tab.events.map(({ type }) => type),
        ['signed_in'],
      )
      t.equal(browser.jar.has('refresh'), storage === 'cookie')
    })

    test(`${mode}, ${storage}: a step-up makes an old sign-in recent again`, async (t) => {
      const { browser, clock, totp } = await start(t)
      const tab = browser.tab({ mode, storage })
      const pending = await givePassword(t, tab)
      await tab.client.prove({ pending, factor: 'totp', code: totp.next() })
      const other = browser.tab({ mode, storage })
      t.equal(await makeCodes(tab), 200)
      clock.advance(601)
      t.equal(await makeCodes(tab), 403)
      const wrong = await tab.client.prove({ password: 'wrong' })
      t.match(wrong, { ok: false, status: 401, answer: { error: 'CREDENTIALS_REFUSED' } })
      t.equal(await statusOf(tab), 200, 'it is still signed in')
      t.ok((await tab.client.prove({ password: USER.password })).ok)
      t.equal(await makeCodes(tab), 403, 'the code is old')
      t.ok((await tab.client.prove({ factor: 'totp', code: totp.next() })).ok)
      t.equal(await makeCodes(tab), 200)
      await settle()
      if (mode !== 'token' || storage === 'cookie')
        t.equal(await makeCodes(other), 200, 'in another tab, too')
      const refreshed = tab.events.filter(({ type }) => type === 'refreshed').length
      t.equal(refreshed, mode === 'token' ? 2 : 0, 'by new tokens')
      t.equal(await tab.client.refresh(), mode === 'token' ? null : undefined)
      t.ok((await tab.client.signOut()).ok)
    })
  }

test('a storage gets the refresh token of a step-up, and a reload goes on with it', async (t) => {
  const { browser, totp } = await start(t)
  const saved: (string | null)[] = []
  const storage = {
    load: async () => saved.at(-1) ?? null,
    save: async (token: string | null) => void saved.push(token),
  }
  const tab = browser.tab({ storage })
  const pending = await givePassword(t, tab)
  await tab.client.prove({ pending, factor: 'totp', code: totp.next() })
  t.ok((await tab.client.prove({ password: USER.password })).ok)
  t.equal(saved.length, 2)
  const reloaded = browser.tab({ storage })
  // On a page that has just been loaded, the tokens are only stored.
  t.ok((await reloaded.client.prove({ password: USER.password })).ok)
  t.equal(await statusOf(reloaded), 200)
  t.equal(new Set(saved).size, saved.length)
})

test('nobody is signed in: a step-up is refused', async (t) => {
  const { browser } = await start(t)
  const tab = browser.tab()
  t.match(await tab.client.prove({ password: USER.password }), {
    ok: false,
    answer: { error: 'NOT_SIGNED_IN' },
  })
})
