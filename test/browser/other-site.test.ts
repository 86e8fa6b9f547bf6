import { once } from 'node:events'
import { createServer } from 'node:http'
import { type Test, test } from 'tap'
import { openWindow, signInOn, startChromium, startSite } from '../helpers/chromium.js'

/** What another site's page tries, each without the visitor doing anything, and none of it allowed. */
const attack = (target: string) => `<!doctype html><title>Other</title>
<img src="${target}/logout_cookie"><img src="${target}/logout_session">
<iframe src="${target}/"></iframe><iframe src="${target}/logout_cookie"></iframe>
<iframe name="f"></iframe><iframe name="g"></iframe><iframe name="h"></iframe>
<form id="logout" method="post" target="f" action="${target}/logout_session"></form>
<form id="everywhere" method="post" target="g" action="${target}/password" enctype="text/plain"><input name='{"current_password":"user123","new_password":"a stolen password","x":"' value='"}'></form>
<form id="login" method="post" target="h" action="${target}/login_session" enctype="text/plain"><input name='{"username":"admin","password":"admin123","x":"' value='"}'></form>
<a id="link" href="${target}/logout_cookie">a prize</a>
<script>
for (const form of document.forms) form.submit()
const json = { 'content-type': 'application/json' }
const call = (path, init) => fetch('${target}' + path, { credentials: 'include', ...init }).then(
  (response) => response.type === 'opaque' ? 'opaque' : response.status, () => 'refused')
window.tried = Promise.all([
  call('/user_info'),
  call('/sign_ins', { method: 'DELETE' }),
  call('/login_session', { method: 'POST', headers: json, body: '{"username":"admin","password":"admin123"}' }),
  call('/login_session', { method: 'POST', mode: 'no-cors', body: '{"username":"admin","password":"admin123"}' }),
  call('/logout_session', { method: 'POST', mode: 'no-cors' }),
  call('/logout_cookie', { mode: 'no-cors' }),
])
</script>`

/** Another site: `localhost` is none of 127.0.0.1's. */
async function startOtherSite(t: Test, target: string): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8').end(attack(target))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return `http://localhost:${address.port}`
}

test('a page of another site can neither sign in nor out, nor change anything', async (t) => {
  const browser = await startChromium(t)
  const { app, origin } = await startSite(t)
  const other = await startOtherSite(t, origin)
  const answers: string[] = []
  const { page } = await openWindow(t, browser)
  page.on('response', (response) => {
    // What our own page asked may be answered late. It names no referrer; the other one does.
    if (response.url().startsWith(origin) && response.request().headers().referer === `${other}/`)
      answers.push(`${new URL(response.url()).pathname} ${response.status()}`)
  })
  for (const way of ['cookie', 'session'] as const) {
    await page.goto(origin)
    await signInOn(page, way)
    const before = await page.context().cookies()
    await page.goto(other)
    const tried = await page.evaluate('window.tried')
    t.same(tried, Array(6).fill('refused'), 'no answer can be read')
    await page.waitForLoadState('load')
    for (const frame of page.frames().slice(1))
      t.notMatch(await frame.content(), /id="main"|User center/, 'the page is in no frame of another site')
    // A link is followed with the SameSite=Lax cookie, so that only the check refuses it.
    const followed = page.waitForResponse((response) => response.url() === `${origin}/logout_cookie`)
    await page.locator('#link').click()
    t.equal((await followed).status(), 403)
    t.match(await page.locator('body').textContent(), 'CROSS_SITE')
    t.same(await page.context().cookies(), before, 'no cookie was set, changed or cleared')
    await page.goto(origin)
    await page.locator('.device.current').waitFor()
    t.equal(await page.locator('#title').textContent(), 'Signed in as user1')
    t.equal(await page.locator('.device').count(), 1)
    await page.locator('#sign-out').click()
    await page.locator('#sign-in').waitFor()
  }
  for (const path of ['/logout_cookie', '/logout_session', '/login_session', '/password'])
    t.ok(
      answers.some((answer) => answer.startsWith(path)),
      `${path} was tried`,
    )
  // The page itself is for everybody; only that it is in a frame is refused, by the browser.
  for (const answer of answers.filter((each) => each !== '/ 200')) t.match(answer, / (403|404|415)$/)
  const login = await app.inject({
    method: 'POST',
    url: '/login_token',
    payload: { username: 'user1', password: 'user123' },
  })
  t.equal(login.statusCode, 200, 'the password is the old one')
})
