import { setTimeout as delay } from 'node:timers/promises'
import Database from 'libsql'
import t from 'tap'
import type { Identity } from '../../plugins/lib/contract.js'
import { databaseFile } from '../../plugins/lib/database/embedded.js'
import { AVATAR_AGE, AvatarCache } from '../../routes/avatar-cache.js'
import { refused, signIn, userInfo } from '../helpers/http.js'
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
  return { state, cache: new AvatarCache({ find }, () => state.now) }
}

t.test('an avatar is asked for once in a second, and answered without a promise meanwhile', async (t) => {
  const { state, cache } = makeCache()
  t.equal(await cache.of(identity('1')), 'https://example.org/1.png')
  state.avatar = 'https://example.org/2.png'
  state.now += AVATAR_AGE - 1
  t.equal(cache.of(identity('1')), 'https://example.org/1.png')
  t.equal(state.asked, 1)
  state.now += 1
  t.equal(await cache.of(identity('1')), 'https://example.org/2.png')
  t.equal(state.asked, 2)
})

t.test('one account is never shown with the avatar of another', async (t) => {
  const { state, cache } = makeCache()
  await cache.of(identity('1'))
  state.avatar = undefined
  t.match(await cache.of(identity('__proto__')), /^data:image\/svg\+xml,/)
  t.equal(cache.of(identity('1')), 'https://example.org/1.png')
})

t.test('it keeps ten thousand, and drops the one that was read first', async (t) => {
  const { state, cache } = makeCache()
  for (let id = 0; id <= 10_000; id++) await cache.of(identity(String(id)))
  t.equal(state.asked, 10_001)
  t.type(cache.of(identity('10000')), 'string')
  t.type(cache.of(identity('1')), 'string')
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
  refused(t, gone, 403, 'SIGNED_OUT')
  t.equal(gone.headers['www-authenticate'], 'Bearer')
  refused(t, await userInfo(app, credential), 403, 'SIGNED_OUT', 'and stays so: nothing of it was kept')
})

t.test('an avatar in memory recognises nobody: who signed out is refused at once', async (t) => {
  const { app } = await startUserCenter(t)
  const { credential } = await signIn(app, 'cookie')
  t.equal((await userInfo(app, credential)).statusCode, 200)
  await app.inject({ method: 'POST', url: '/logout_cookie', headers: credential })
  refused(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
})
