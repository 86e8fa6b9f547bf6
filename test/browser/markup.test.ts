import { test } from 'tap'
import { openWindow, startChromium, startSite } from '../helpers/chromium.js'

const NAME = '<img src=x onerror="document.title=1">'
const ADMIN = { username: NAME, password: 'a long enough one' }

test('markup that people hand in is shown, and is no markup', async (t) => {
  const browser = await startChromium(t)
  const { app, origin } = await startSite(t)
  await app.accounts.create({ ...ADMIN, role: 'admin' })
  const program = '<marquee id=main>x</marquee>'
  const { page, complaints } = await openWindow(t, browser, { userAgent: program })
  await page.goto(origin)
  await page.locator('#username').fill(ADMIN.username)
  await page.locator('#password').fill(ADMIN.password)
  await page.locator('#sign-in-button').click()
  await page.locator('.device.current').waitFor()
  t.equal(await page.locator('#title').textContent(), `Signed in as ${NAME}`)
  t.match(
    await page.locator('.device.current .device-name').textContent(),
    program,
    'the program of a sign-in',
  )
  await page.locator('#accounts').getByText(NAME).first().waitFor()
  const made = 'document.querySelectorAll("marquee, img[onerror]").length'
  t.equal(await page.evaluate(made), 0, 'no element came of it')
  t.not(await page.title(), '1', 'no script ran')
  t.same(complaints, [])

  await t.test('not even a script of our own can make text into markup or code', async (t) => {
    const refused = (code: string) =>
      page.evaluate(`(() => { try { ${code}; return 'done' } catch (error) { return error.name } })()`)
    t.equal(await refused('document.body.innerHTML = "<marquee>"'), 'TypeError', 'Trusted Types')
    t.equal(await refused('document.write("<marquee>")'), 'TypeError')
    t.equal(await page.evaluate(made), 0)
    await page.evaluate(
      'void document.head.append(Object.assign(document.createElement("base"), { href: "/x/" }))',
    )
    t.equal(await page.evaluate('document.baseURI'), `${origin}/`, 'base-uri')
  })
})
