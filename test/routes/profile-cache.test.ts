import { setTimeout as delay } from 'node:timers/promises'
import Database from 'libsql'
import t from 'tap'
import type { Identity } from '../../plugins/lib/contract.js'
import { databaseFile } from '../../plugins/lib/database/embedded.js'
import { initialAvatar, PROFILE_AGE, ProfileCache } from '../../routes/profile-cache.js'
import { refusedByCenter, signIn, userInfo } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

function identity(accountId: string): Identity {
  const signIn = { signInId: 's', authTime: 0, mode: 'cookie', claims: {} } as const
  return { ...signIn, accountId, username: `user${accountId}`, role: 'user' }
}

/** A cache before accounts that count how often they were asked. */
function makeCache() {
  const state = { now: 1_000_000, asked: 0, avatar: 'https://example.org/1.png' as string | undefined }
  const find = async (id: string) => {
    state.asked++
    return { id, username: `user${id}`, role: 'user', avatar: state.avatar }
  }
  const cache = new ProfileCache({ accounts: { find }, events: null }, () => state.now)
  return { state, cache }
}

t.test('a profile is asked for once in a second, and answered without a promise meanwhile', async (t) => {
  const { state, cache } = makeCache()
  t.match(await cache.of(identity('1')), { avatar: 'https://example.org/1.png', last_sign_ins: [] })
  state.avatar = 'https://example.org/2.png'
  state.now += PROFILE_AGE - 1
  t.match(cache.of(identity('1')), { avatar: 'https://example.org/1.png' })
  t.equal(state.asked, 1)
  state.now += 1
  t.match(await cache.of(identity('1')), { avatar: 'https://example.org/2.png' })
  t.equal(state.asked, 2)
  cache.forget(identity('1'))
  await cache.of(identity('1'))
  t.equal(state.asked, 3, 'a changed profile is asked for again')
})

t.test('one account is never shown with the avatar of another', async (t) => {
  const { state, cache } = makeCache()
  await cache.of(identity('1'))
  state.avatar = undefined
  t.match(await cache.of(identity('__proto__')), { avatar: /^data:image\/svg\+xml,/ })
  t.match(cache.of(identity('1')), { avatar: 'https://example.org/1.png' })
})

t.test('it keeps ten thousand, and drops the one that was read first', async (t) => {
  const { state, cache } = makeCache()
  for (let id = 0; id <= 10_000; id++) await cache.of(identity(String(id)))
  t.equal(state.asked, 10_001)
  t.notOk(cache.of(identity('10000')) instanceof Promise)
  t.notOk(cache.of(identity('1')) instanceof Promise)
  t.type(cache.of(identity('0')), Promise)
})

t.test('an account that went without its sign-ins is nobody, as soon as it is asked for again', async (t) => {
  const { app, dataDir } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  t.equal((await userInfo(app, credential)).statusCode, 200)
  const file = new Database(databaseFile(dataDir))
  file.exec("DELETE FROM accounts WHERE username = 'user1'")
  file.close()
  let gone = await userInfo(app, credential)
  for (const since = Date.now(); gone.statusCode === 200 && Date.now() - since < 60_000; ) {
    await delay(20)
    gone = await userInfo(app, credential)
  }
  refusedByCenter(t, gone, 403, 'SIGNED_OUT')
  t.equal(gone.headers['www-authenticate'], 'Bearer')
  refusedByCenter(
    t,
    await userInfo(app, credential),
    403,
    'SIGNED_OUT',
    'and stays so: nothing of it was kept',
  )
})

t.test('a profile in memory recognises nobody: who signed out is refused at once', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  t.equal((await userInfo(app, credential)).statusCode, 200)
  await app.inject({ method: 'POST', url: '/logout_cookie', headers: credential })
  refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
})

const PREFIX = 'data:image/svg+xml,'

const svgOf = (username: string) => decodeURIComponent(initialAvatar(username).slice(PREFIX.length))
const initialOf = (username: string) => /<text[^>]*>(.*)<\/text>/.exec(svgOf(username))?.[1]
const hueOf = (username: string) => Number(/hsl\((\d+) 45% 45%\)/.exec(svgOf(username))?.[1])

t.test('an avatar is one SVG as a data: address, without a character that HTML minds', async (t) => {
  for (const name of ['admin', 'Zoë', '李小龍', '<script>"&\'', '']) {
    const avatar = initialAvatar(name)
    t.ok(avatar.startsWith(PREFIX), name)
    t.match(avatar.slice(PREFIX.length), /^[\w%.!~*'()-]+$/, name)
    t.notMatch(avatar, /[<>"&#\s]/, name)
    t.match(
      svgOf(name),
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^<>]*><rect [^<>]*\/><text [^<>]*>[^<>]*<\/text><\/svg>$/,
    )
  }
})

t.test('it shows the first letter or digit of the name, in upper case', async (t) => {
  const rows: [username: string, initial: string][] = [
    ['admin', 'A'],
    ['Zoë', 'Z'],
    ['ëlla', 'Ë'],
    ['李小龍', '李'],
    ['ольга', 'О'],
    ['7of9', '7'],
    ['-_.x', 'X'],
    ['😀 bob', 'B'],
    ['ßen', 'SS'],
    ['𝒶lice', '𝒶'],
  ]
  for (const [username, initial] of rows) t.equal(initialOf(username), initial, username)
})

t.test('a name without a letter or digit is a question mark', async (t) => {
  for (const username of ['', ' ', '😀', '---', '<>&"', '\ud800', '\0']) {
    t.equal(initialOf(username), '?', JSON.stringify(username))
  }
})

t.test('no name becomes markup', async (t) => {
  for (const username of [
    '<script>alert(1)</script>',
    '"/><script>',
    '&lt;',
    '</text><a>',
    "'onload='x",
    ']]>',
    '%3Cscript%3E',
  ]) {
    t.match(initialOf(username), /^[\p{L}\p{N}?]$/u, username)
  }
})

t.test('no first character becomes markup, whatever it is', async (t) => {
  const odd: string[] = []
  for (let point = 0; point <= 0x10ffff; point += point < 0x3000 ? 1 : 37) {
    const initial = initialOf(String.fromCodePoint(point))
    if (initial === undefined || /[<>&"'\s]/.test(initial)) odd.push(point.toString(16))
  }
  t.same(odd, [])
})

t.test('the colour stays the same for a name, and is a hue', async (t) => {
  const names = Array.from({ length: 500 }, (_, index) => `user${index}`)
  for (const name of names) {
    const hue = hueOf(name)
    if (!(Number.isInteger(hue) && hue >= 0 && hue < 360)) t.fail(`${name}: ${hue}`)
  }
  t.ok(new Set(names.map(hueOf)).size > 100, 'names differ in colour')
  t.equal(initialAvatar('admin'), initialAvatar('admin'))
  t.not(initialAvatar('admin'), initialAvatar('admix'))
})
