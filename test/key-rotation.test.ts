import { randomBytes } from 'node:crypto'
import t from 'tap'
import { type Fleet, startFleet } from './helpers/fleet.js'
import { type Credential, MODES, post, signIn, userInfo } from './helpers/http.js'
import { SteadyLoad } from './helpers/steady-load.js'

const LIFETIME = 7200
const BASE = {
  REFRESH_TOKEN_TTL: String(LIFETIME),
  SESSION_IDLE_TTL: String(LIFETIME),
  SESSION_ABSOLUTE_TTL: String(LIFETIME),
}

const secret = () => randomBytes(32).toString('base64url')

/** A sign-in in each mode that is not used while keys rotate. */
async function leaveUnused(fleet: Fleet) {
  const left: { credential: Credential; refreshToken: string }[] = []
  for (const mode of MODES) left.push(await fleet.use(({ app }) => signIn(app, mode)))
  return left
}

/** Lets pass what anything under the old key lives, in steps, under load. */
async function outlive(load: SteadyLoad): Promise<void> {
  for (let passed = 0; passed <= LIFETIME; passed += 600) await load.advance(600)
}

t.test('AUTH_SECRETS rotates in three rolling deploys under load, and nobody is refused', async (t) => {
  const fleet = await startFleet(t)
  const [old, next] = [secret(), secret()]
  const env = (...secrets: string[]) => ({ ...BASE, AUTH_SECRETS: secrets.join(',') })
  await fleet.deploy(env(old))
  const load = new SteadyLoad(fleet, LIFETIME)
  const unused = await leaveUnused(fleet)
  const lost = await leaveUnused(fleet)
  t.teardown(() => load.stop())
  load.start()
  await load.round()
  const quiet = (stage: string) => t.strictSame(load.refusals, [], stage)

  await fleet.deploy(env(old, next), load)
  quiet('append')
  await fleet.deploy(env(next, old), load)
  quiet('move to the front')
  for (const { credential, refreshToken } of unused) {
    await fleet.useEach(async ({ app }) => {
      t.equal((await userInfo(app, credential)).statusCode, 200)
    })
    if (!refreshToken) continue
    const refreshed = await fleet.use(({ app }) =>
      post(app, '/refresh_token', { refresh_token: refreshToken }),
    )
    t.equal(refreshed.statusCode, 200, 'nobody who was away is signed out')
  }
  await outlive(load)
  quiet('until the old secret’s credentials have ended')
  await fleet.deploy(env(next), load)
  await load.stop()
  quiet('remove')
  t.ok(load.answers > 150, `${load.answers} answers`)

  for (const { credential, refreshToken } of lost) {
    await fleet.useEach(async ({ app }) => {
      const error = credential.authorization ? 'TOKEN_INVALID' : 'CREDENTIAL_INVALID'
      t.match((await userInfo(app, credential)).json(), { code: 403, error }, 'the old secret is gone')
      if (!refreshToken) return
      const refused = await post(app, '/refresh_token', { refresh_token: refreshToken })
      t.match(refused.json(), { code: 401, error: 'REFRESH_REFUSED' })
    })
  }
})
