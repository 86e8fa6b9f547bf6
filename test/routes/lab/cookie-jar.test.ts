import t from 'tap'
import { TestClock } from '../../../plugins/lib/testing.js'
import { CookieJar } from '../../../routes/lab/cookie-jar.js'

const OWN = { path: '/', isSafe: true, isCrossSite: false, isNavigation: false }

function jar(isSecure = false) {
  const clock = new TestClock(0)
  return { clock, cookies: new CookieJar(isSecure, clock.read) }
}

t.test('cookies end by Max-Age, by Expires, or with the browser', async (t) => {
  const { clock, cookies } = jar()
  cookies.keep('a=1; Max-Age=10')
  cookies.keep('b=2; Expires=Thu, 01 Jan 1970 00:00:20 GMT')
  cookies.keep('c=3')
  cookies.keep('d=4; Max-Age=30; Expires=Thu, 01 Jan 1970 00:00:01 GMT')
  t.equal(cookies.header(OWN), 'a=1; b=2; c=3; d=4')
  clock.advance(10)
  t.equal(cookies.header(OWN), 'b=2; c=3; d=4')
  clock.advance(10)
  t.equal(cookies.header(OWN), 'c=3; d=4', 'Max-Age wins over Expires')
  cookies.close()
  t.equal(cookies.header(OWN), 'd=4')
  cookies.keep('d=; Max-Age=0')
  t.equal(cookies.header(OWN), null, 'cleared')
})

t.test('SameSite decides what goes along from another site', async (t) => {
  const { cookies } = jar(true)
  cookies.keep('strict=1; SameSite=Strict')
  cookies.keep('lax=1; SameSite=Lax')
  cookies.keep('unsaid=1')
  cookies.keep('none=1; SameSite=None; Secure')
  cookies.keep('dropped=1; SameSite=None')
  const other = { ...OWN, isCrossSite: true }
  t.equal(cookies.header(OWN), 'strict=1; lax=1; unsaid=1; none=1')
  t.equal(cookies.header(other), 'none=1')
  t.equal(cookies.header({ ...other, isNavigation: true }), 'lax=1; unsaid=1; none=1')
  t.equal(cookies.header({ ...other, isNavigation: true, isSafe: false }), 'none=1')
})

t.test('a cookie goes to its path and below', async (t) => {
  const { cookies } = jar()
  cookies.keep('a=1; Path=/shop')
  cookies.keep('b=1; Path=shop')
  const at = (path: string) => cookies.header({ ...OWN, path })
  t.equal(at('/shop'), 'a=1; b=1')
  t.equal(at('/shop/cart'), 'a=1; b=1')
  t.equal(at('/shopping'), 'b=1')
})

t.test('over http there are no Secure cookies, and no false prefixes', async (t) => {
  const plain = jar().cookies
  for (const line of ['a=1; Secure', '__Host-a=1; Path=/', '__Secure-a=1', '=1']) plain.keep(line)
  t.equal(plain.header(OWN), null)
  const secure = jar(true).cookies
  secure.keep('__Host-a=1; Path=/shop; Secure')
  secure.keep('__Host-b=1; Path=/')
  secure.keep('__Host-c=1; Path=/; Secure')
  t.equal(secure.header(OWN), '__Host-c=1')
})

t.test('a script neither reads nor replaces an HttpOnly cookie', async (t) => {
  const { cookies } = jar()
  cookies.keep('id=1; HttpOnly')
  cookies.keep('theme=dark')
  t.equal(cookies.forScript(), 'theme=dark')
  t.notOk(cookies.keepFromScript('id=2'))
  t.notOk(cookies.keepFromScript('other=1; HttpOnly'))
  t.ok(cookies.keepFromScript('theme=light'))
  t.equal(cookies.get('id')?.value, '1')
  t.equal(cookies.header(OWN), 'id=1; theme=light')
})
