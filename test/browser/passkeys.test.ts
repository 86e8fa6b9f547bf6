import type { CDPSession, Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { startChromium } from '../helpers/chromium.js'
import { addAccount, factorApp, PASSWORD } from '../helpers/factor-app.js'
import { freePort } from '../helpers/redis-server.js'

/** The script of a page. The browser itself parses the options of the server. */
const SCRIPT = `
const post = async (url, body = {}) => {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: answer.status, body: await answer.json() }
}
const create = async (json) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json)
  return (await navigator.credentials.create({ publicKey })).toJSON()
}
const get = async (json) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json)
  return (await navigator.credentials.get({ publicKey })).toJSON()
}
window.login = (password) => post('/login/cookie', { username: 'alice', password })
window.register = async () => {
  const { body } = await post('/register/options')
  return post('/register', { response: await create(body) })
}
window.passkey = async () => {
  const { body } = await post('/passkey/options')
  return post('/passkey/cookie', { pending: body.pending, response: await get(body.options) })
}
window.second = async (password) => {
  const { pending } = (await login(password)).body.data
  const { body } = await post('/challenge', { pending })
  return post('/finish', { pending, factor: 'passkey', response: await get(body) })
}
window.me = async () => (await fetch('/me')).json()
window.named = (call) => call().catch((error) => error.name)
`

/** An application on localhost, and a browser with an authenticator that verifies its owner at once. */
async function start(t: Test) {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const { app } = await factorApp(t, {
    clock: Date.now,
    factors: { rpId: 'localhost', rpName: 'The tea shop', origins: [origin] },
  })
  await app.listen({ port, host: 'localhost' })
  const account = await addAccount(app)
  const events: string[] = []
  app.audit.subscribe(({ type }) => void events.push(type))
  const browser = await startChromium(t)
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const html = `<!doctype html><title>Passkeys</title><script>${SCRIPT}</script>`
  await context.route(`${origin}/page`, (route) => route.fulfill({ contentType: 'text/html', body: html }))
  const page = await context.newPage()
  await page.goto(`${origin}/page`)
  const cdp = await context.newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
      ...{ isUserVerified: true, automaticPresenceSimulation: true },
    },
  })
  return { app, account, page, context, events, cdp, authenticatorId }
}

const statusOf = (page: Page, call: string) => page.evaluate(`${call}.then(({ status }) => status)`)
const methods = (page: Page) =>
  page.evaluate('me().then(({ factors }) => factors.map(({ method }) => method))')

/** Puts a copy of the passkey with an older counter into the authenticator. */
async function clone(cdp: CDPSession, authenticatorId: string): Promise<void> {
  const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId })
  const [credential] = credentials
  if (!credential) throw new Error('there is no passkey')
  const { credentialId } = credential
  await cdp.send('WebAuthn.removeCredential', { authenticatorId, credentialId })
  await cdp.send('WebAuthn.addCredential', { authenticatorId, credential: { ...credential, signCount: 0 } })
}

test('Chromium adds a passkey, signs in by it alone, and gives it after a password', async (t) => {
  const { app, account, page, context, cdp, authenticatorId, events } = await start(t)
  t.equal(await statusOf(page, `login('${PASSWORD}')`), 200)
  t.equal(await statusOf(page, 'register()'), 200)
  t.match(await app.factors.list(account.id), [{ kind: 'passkey' }, { kind: 'recovery_code' }])
  t.equal(await page.evaluate('named(register)'), 'InvalidStateError', 'an authenticator is added once')

  await context.clearCookies()
  t.equal(await statusOf(page, 'passkey()'), 200, 'nobody has typed a name')
  t.strictSame(await methods(page), ['passkey'])

  await context.clearCookies()
  t.equal(await statusOf(page, `second('${PASSWORD}')`), 200)
  t.strictSame(await methods(page), ['password', 'passkey'])
  const names = (await context.cookies()).map(({ name }) => name).sort()
  t.strictSame(names, ['device', 'identity'], 'the cookie of the pending sign-in is gone')

  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
  t.equal(await page.evaluate('named(passkey)'), 'NotAllowedError', 'the browser itself refuses a stranger')
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true })

  await clone(cdp, authenticatorId)
  await context.clearCookies()
  t.equal(await statusOf(page, 'passkey()'), 401, 'a copy of the key')
  t.ok(events.includes('passkey_cloned'))
})
