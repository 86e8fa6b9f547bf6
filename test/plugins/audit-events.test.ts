import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Readable, Writable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { AUDIT_CHANNEL, type AuditEvent } from '../../plugins/audit.js'
import { accountAdd } from '../../plugins/lib/cli/account-add.js'
import { accountDisable, accountPasswd, accountRole } from '../../plugins/lib/cli/account-change.js'
import type { Command } from '../../plugins/lib/cli/command.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { eventually } from '../helpers/followed.js'
import { ADMIN, MODES, type Mode, post, signIn, USER } from '../helpers/http.js'
import { ALICE, buildSuite, cookieHeader, cookieMode, faultyStore, sessionMode } from '../helpers/suite.js'
import { makeDataDir, startUserCenter } from '../helpers/user-center.js'

/** What the application tells from now on; `take` hands it out, and forgets it. */
function listen(app: FastifyInstance) {
  let events: AuditEvent[] = []
  app.audit.subscribe((event) => void events.push(event))
  return function take(): AuditEvent[] {
    const taken = events
    events = []
    return taken
  }
}

async function userCenter(t: Test, env: Record<string, string> = {}) {
  const { app, clock } = await startUserCenter(t, env)
  return { app, clock, take: listen(app) }
}

/** The one event of a sign-in. */
function signedIn(events: AuditEvent[]) {
  const [event] = events
  if (event?.type !== 'signed_in' || events.length > 1) throw new Error(JSON.stringify(events))
  const { accountId, signInId } = event
  return { accountId, signInId: String(signInId) }
}

const idOf = async (app: FastifyInstance, username: string) =>
  (await app.accounts.findByUsername(username))?.id ?? ''

/** Signs in, and hands back what the client holds with the ids that the event named. */
async function enter(app: FastifyInstance, take: () => AuditEvent[], mode: Mode, who: object = USER) {
  const held = await signIn(app, mode, who)
  return { ...held, ids: signedIn(take()) }
}

test('a sign-in and a logout are told, with account, sign-in, mode, time and address', async (t) => {
  const { app, clock, take } = await userCenter(t)
  const accountId = await idOf(app, USER.username)
  for (const mode of MODES) {
    const { credential } = await signIn(app, mode)
    const [event, ...others] = take()
    t.match(event, { type: 'signed_in', accountId, mode, time: clock(), ip: '127.0.0.1' })
    t.same(others, [])
    const list = await app.inject({ url: '/sign_ins', headers: credential })
    const { signInId } = signedIn(event ? [event] : [])
    t.equal(list.json().data.find(({ current }: { current: boolean }) => current).id, signInId)
    for (let time = 0; time < 2; time++) await post(app, `/logout_${mode}`, {}, credential)
    const out = { type: 'signed_out', accountId, signInId, mode, time: clock(), ip: '127.0.0.1' }
    t.same(take(), [out], `${mode}: the second logout ended nothing`)
  }
})

test('a refused sign-in is told without the name that was typed', async (t) => {
  const { app, take } = await userCenter(t)
  for (const mode of MODES) {
    for (const username of [USER.username, 'the password in the wrong field']) {
      await post(app, `/login_${mode}`, { username, password: 'wrong' })
      const [{ time, ...event } = { time: 0 }, ...others] = take()
      t.same(event, { type: 'sign_in_refused', mode, reason: 'credentials', ip: '127.0.0.1' })
      t.same(others, [])
    }
  }
})

test('a sign-in that replaces another says so of the other one', async (t) => {
  const { app, take } = await userCenter(t)
  const actorId = await idOf(app, ADMIN.username)
  for (const mode of MODES) {
    const { credential, ids } = await enter(app, take, mode)
    await signIn(app, mode, ADMIN, credential)
    t.match(take(), [
      { type: 'sign_in_ended', ...ids, by: 'self', why: 'replaced', actorId, ip: '127.0.0.1' },
      { type: 'signed_in', accountId: actorId, mode },
    ])
  }
})

test('whoever ends a sign-in is named: itself, its owner, an administrator', async (t) => {
  const { app, take } = await userCenter(t)
  const kept = await enter(app, take, 'cookie')
  const other = await enter(app, take, 'token')
  const third = await enter(app, take, 'session')
  const remove = (url: string, headers: Record<string, string>) =>
    app.inject({ method: 'DELETE', url, headers })
  const ended = { type: 'sign_in_ended', why: 'asked', actorId: kept.ids.accountId }

  await remove(`/sign_ins/${other.ids.signInId}`, kept.credential)
  t.match(take(), [{ ...ended, ...other.ids, by: 'owner' }])
  await remove('/sign_ins?except=current', kept.credential)
  t.match(take(), [{ ...ended, ...third.ids, by: 'owner' }])
  await remove(`/sign_ins/${kept.ids.signInId}`, kept.credential)
  t.match(take(), [{ ...ended, ...kept.ids, by: 'self' }])

  const victim = await enter(app, take, 'cookie')
  const admin = await enter(app, take, 'cookie', ADMIN)
  await remove('/accounts/user1/sign_ins', admin.credential)
  t.match(take(), [
    { type: 'epoch_raised', accountId: victim.ids.accountId, epoch: 2, spared: null, ended: 1, ip: null },
    { ...ended, ...victim.ids, by: 'admin', actorId: admin.ids.accountId },
  ])
  await remove('/accounts/user1/sign_ins', victim.credential)
  await remove(`/sign_ins/${victim.ids.signInId}`, admin.credential)
  t.same(take(), [], 'refusals tell nothing')
})

test('the oldest beyond the cap is told of, before the new one', async (t) => {
  const { app, clock, take } = await userCenter(t, { SIGN_IN_CAP: '1' })
  const oldest = await enter(app, take, 'token')
  clock.advance(1)
  await signIn(app, 'token')
  t.match(take(), [
    { type: 'sign_in_ended', ...oldest.ids, by: 'suite', why: 'cap', actorId: null },
    { type: 'signed_in', accountId: oldest.ids.accountId },
  ])
})

test('refreshes are told, a retry as such, and theft with the end that follows', async (t) => {
  const { app, take } = await userCenter(t)
  const refresh = (refresh_token: string) => post(app, '/refresh_token', { refresh_token })
  const { refreshToken: first, ids } = await enter(app, take, 'token')
  const second = (await refresh(first)).json().data.refresh_token
  await refresh(first)
  await refresh(second)
  const refreshed = { type: 'refreshed', ...ids, mode: 'token' }
  t.match(take(), [
    { ...refreshed, outcome: 'rotated' },
    { ...refreshed, outcome: 'repeated' },
    { ...refreshed, outcome: 'rotated' },
  ])
  await refresh(first)
  t.match(take(), [
    { type: 'refresh_reuse_detected', ...ids, mode: 'token', ip: '127.0.0.1' },
    { type: 'sign_in_ended', ...ids, by: 'suite', why: 'refresh_reuse', actorId: null, ip: '127.0.0.1' },
  ])
  for (const refused of [first, second, 'junk']) await refresh(refused)
  t.same(take(), [], 'what is refused alike ever after is told once')
})

test('a logout by a refresh token is one, and one event', async (t) => {
  const { app, take } = await userCenter(t)
  const { credential, refreshToken, ids } = await enter(app, take, 'token')
  await post(app, '/logout_token', { refresh_token: refreshToken }, credential)
  t.match(take(), [{ type: 'signed_out', ...ids, mode: 'token' }])
  const other = await enter(app, take, 'token')
  await post(app, '/logout_token', { refresh_token: other.refreshToken })
  t.match(take(), [{ type: 'signed_out', ...other.ids, mode: 'token', ip: '127.0.0.1' }])
})

test('a new password is told with the sign-ins that it ends; a wrong current one with who gave it', async (t) => {
  const { app, take } = await userCenter(t)
  await enter(app, take, 'token')
  const { credential, ids } = await enter(app, take, 'session')
  const { accountId, signInId } = ids
  const change = (current_password: string) =>
    post(app, '/password', { current_password, new_password: 'a new and long one' }, credential)
  await change('wrong')
  t.match(take(), [{ type: 'password_refused', ...ids, mode: 'session' }])
  await change(USER.password)
  t.match(take(), [
    { type: 'epoch_raised', accountId, epoch: 2, spared: signInId, ended: 1 },
    { type: 'account_changed', accountId, changed: 'password', to: null, by: 'owner', actorId: accountId },
  ])
})

test('a new display name is told without the name, whoever sends it; a refused one is not', async (t) => {
  const { app, take } = await userCenter(t)
  const rename = (headers: object, display_name: unknown) =>
    app.inject({ method: 'PATCH', url: '/user_info', headers: { ...headers }, payload: { display_name } })
  for (const mode of MODES) {
    const { credential, ids } = await enter(app, take, mode)
    const { accountId } = ids
    const told = { changed: 'display_name', by: 'owner', actorId: accountId, ip: '127.0.0.1' }
    for (const name of ['typed by accident', null]) {
      t.equal((await rename(credential, name)).statusCode, 200)
      const events = take()
      t.match(events, [{ type: 'profile_changed', accountId, ...told }], mode)
      t.equal(events.length, 1)
      t.notMatch(JSON.stringify(events), /typed by accident/)
    }
    for (const name of ['\u202eadmin', '', 1]) t.equal((await rename(credential, name)).statusCode, 400)
    t.equal((await rename({}, 'Eve')).statusCode, 403)
    t.same(take(), [], 'nothing was changed')
  }
})

test('who registers, is given another role or is disabled, is told of by id, never by name', async (t) => {
  const { app, take } = await userCenter(t)
  const newcomer = { username: 'typed by accident', password: 'a long enough one' }
  await post(app, '/register', newcomer)
  const accountId = await idOf(app, newcomer.username)
  const byNobody = { by: 'registration', actorId: null, ip: '127.0.0.1' }
  t.match(take(), [{ type: 'account_created', accountId, role: 'user', ...byNobody }])
  for (const refused of [newcomer, { ...newcomer, username: 'other', password: 'short' }])
    await post(app, '/register', refused)
  t.same(take(), [], 'what was not made is not told')

  const { credential: headers, ids } = await enter(app, take, 'token', ADMIN)
  const patch = (username: string, payload: object) =>
    app.inject({ method: 'PATCH', url: `/accounts/${encodeURIComponent(username)}`, headers, payload })
  await patch(newcomer.username, { role: 'admin', disabled: true })
  const by = { accountId, by: 'admin', actorId: ids.accountId, ip: '127.0.0.1' }
  t.match(take(), [
    { type: 'epoch_raised', accountId, epoch: 2 },
    { type: 'account_changed', changed: 'role', to: 'admin', ...by },
    { type: 'account_changed', changed: 'disabled', to: true, ...by },
  ])
  await patch(newcomer.username, { disabled: false })
  const enabled = take()
  t.match(enabled.slice(1), [{ type: 'account_changed', changed: 'disabled', to: false, ...by }])
  t.equal(enabled.length, 2)
  await patch('nobody', { disabled: true })
  await patch(newcomer.username, { role: 'root' })
  await patch(newcomer.username, { disabled: true })
  t.equal(take().length, 2)
  await patch('admin', { disabled: true })
  t.same(take(), [], 'nor what was refused')
  t.notMatch(JSON.stringify(enabled), /typed by accident/)
})

test('a change that is stored, and cannot be distributed yet, is told at once with who did it', async (t) => {
  const { app, take } = await userCenter(t)
  const owner = await enter(app, take, 'session')
  const { credential: headers, ids } = await enter(app, take, 'token', ADMIN)
  const { accountId } = owner.ids
  const store: StateStore = app.stateStore
  const { raiseEpoch } = store
  store.raiseEpoch = () => Promise.reject(new StoreUnavailable())
  const passwords = { current_password: USER.password, new_password: 'a new and long one' }
  const of = { type: 'account_changed', accountId, ip: '127.0.0.1' }
  t.equal((await post(app, '/password', passwords, owner.credential)).statusCode, 503)
  t.match(take(), [{ ...of, changed: 'password', to: null, by: 'owner', actorId: accountId }])
  const payload = { role: 'admin', disabled: true }
  const patch = () => app.inject({ method: 'PATCH', url: `/accounts/${USER.username}`, headers, payload })
  t.equal((await patch()).statusCode, 503)
  const byAdmin = { by: 'admin', actorId: ids.accountId }
  t.match(take(), [
    { ...of, changed: 'role', to: 'admin', ...byAdmin },
    { ...of, changed: 'disabled', to: true, ...byAdmin },
  ])
  t.match(await app.accounts.findByUsername(USER.username), { ...payload, epoch: 3 }, 'it is stored')
  const endAll = () => app.inject({ method: 'DELETE', url: `/accounts/${USER.username}/sign_ins`, headers })
  t.equal((await endAll()).statusCode, 503)
  t.match(take(), [{ type: 'sign_in_ended', ...owner.ids, why: 'asked', ...byAdmin }])
  store.raiseEpoch = raiseEpoch.bind(store)
  await eventually(async () => (await app.signIns.list(accountId)).length === 0)
  const later = take()
  t.ok(later.length > 0)
  t.ok(
    later.every(({ type }) => type === 'epoch_raised'),
    'and once',
  )
})

test('what could not be stored is not told', async (t) => {
  const memory = createMemoryStore()
  const { store, failing } = faultyStore(memory)
  const modes = [cookieMode(), sessionMode()]
  const { app, signIn, signOut } = await buildSuite(t, { modes, store })
  const take = listen(app)
  for (const mode of ['cookie', 'session'] as const) {
    for (const operation of ['addSignIn', 'createSession'] as const) {
      if (operation === 'createSession' && mode === 'cookie') continue
      failing.add(operation)
      t.equal((await signIn(mode)).statusCode, 503)
      t.same(take(), [], `${mode}: ${operation}`)
      failing.clear()
    }
    const held = cookieHeader(await signIn(mode))
    const ids = signedIn(take())
    failing.add('endSignIn')
    t.equal((await signOut(mode, held)).statusCode, 503)
    t.equal((await signIn(mode, { headers: held })).statusCode, 503, 'which would have replaced it')
    failing.clear()
    t.same(take(), [], `${mode}: refused logouts and sign-ins`)
    t.equal((await signOut(mode, held)).statusCode, 200)
    t.match(take(), [{ type: 'signed_out', ...ids, mode }])
  }
})

test('an application that ends sign-ins need say nothing, and can say more', async (t) => {
  const { app, signIn } = await buildSuite(t, { modes: [cookieMode()] })
  const take = listen(app)
  const begin = async () => {
    await signIn('cookie')
    return signedIn(take())
  }
  const ended = { type: 'sign_in_ended', by: 'application', why: 'asked', actorId: null, ip: null }
  const one = await begin()
  await app.signIns.end(one)
  t.match(take(), [{ ...ended, ...one }])
  const two = await begin()
  await app.signIns.endAll(ALICE.id)
  t.match(take(), [{ ...ended, ...two }])
  const three = await begin()
  await app.signIns.end(three, { signedOut: 'cookie' })
  t.match(take(), [{ type: 'signed_out', ...three, mode: 'cookie', ip: null }])
  await app.signIns.end(await begin(), 'never_held')
  t.same(take(), [])
})

test('a mode that keeps no records signs in without an id, and never under another one’s', async (t) => {
  const { app } = await buildSuite(t, {
    modes: [cookieMode()],
    routes: (app) => {
      app.authModes.add({
        name: 'bare',
        ambient: false,
        resolve: () => ({ kind: 'absent' }),
        issue: async () => ({ issued: 'a-credential', signIn: null }),
        signOut: async () => false,
        clear: () => {},
      })
      app.post('/both', async (request) => {
        await request.signIn('cookie', ALICE)
        await request.signIn('bare', ALICE)
      })
    },
  })
  const take = listen(app)
  await app.inject({ method: 'POST', url: '/both' })
  const [cookie, bare] = take()
  t.match(cookie, { type: 'signed_in', mode: 'cookie', signInId: /^[\w-]{22}$/ })
  t.match(bare, { type: 'signed_in', mode: 'bare', signInId: null, accountId: ALICE.id })
})

test('an account that the command line adds is told to the channel, without its password', async (t) => {
  const heard: unknown[] = []
  const listener = (event: unknown) => void heard.push(event)
  subscribe(AUDIT_CHANNEL, listener)
  t.teardown(() => unsubscribe(AUDIT_CHANNEL, listener))
  const DATA_DIR = makeDataDir(t)
  const sink = () => new Writable({ write: (_chunk, _encoding, done) => done() })
  const add = (name: string) => {
    const stdin = Readable.from([Buffer.from('a password of the first one\n')])
    const terminal = { env: { DATA_DIR }, stdin, stdout: sink(), stderr: sink() }
    return accountAdd.run([name, '--role', 'admin'], terminal)
  }
  await add('operator')
  t.match(heard, [
    {
      type: 'account_created',
      accountId: /^[\w-]{22}$/,
      role: 'admin',
      by: 'command_line',
      actorId: null,
      ip: null,
    },
  ])
  t.notMatch(JSON.stringify(heard), /a password|operator/)
  await t.rejects(add('operator'), { code: 'USERNAME_TAKEN' })
  t.equal(heard.length, 1)
  // Stored, but where the sign-ins are, nobody answers.
  const env = { DATA_DIR, REDIS_URL: 'redis://127.0.0.1:1' }
  await add('another')
  heard.length = 0
  const change = (command: Command, ...args: string[]) =>
    t.rejects(
      command.run(args, {
        env,
        stdin: Readable.from([Buffer.from('a new and long one\n')]),
        stdout: sink(),
        stderr: sink(),
      }),
      { message: /The change is stored/ },
    )
  await change(accountRole, 'another', 'user')
  await change(accountDisable, 'another')
  await change(accountPasswd, 'another')
  const told = { type: 'account_changed', by: 'command_line', actorId: null }
  t.match(heard, [
    { ...told, changed: 'role', to: 'user' },
    { ...told, changed: 'disabled', to: true },
    { ...told, changed: 'password', to: null },
  ])
  t.equal(heard.length, 3)
})

declare module '../../plugins/lib/contract.js' {
  interface AuthModes {
    bare: string
  }
}
