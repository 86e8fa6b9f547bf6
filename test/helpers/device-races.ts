import { type DeviceApp, proofOf } from './device-app.js'
import { type DeviceClient, type Offer, offersOf } from './device-client.js'
import type { Draw, Racers } from './races.js'
import { ALICE } from './suite.js'

/** What is under way when the sign-in is ended. */
export type UnderWay = 'refresh' | 'registration'

type End = (app: DeviceApp, mode: string, cookie: string) => Promise<unknown>

/** Each ends the sign-in of whoever sends these cookies. */
const ENDS: readonly [End, ...End[]] = [
  ({ signOut }, mode, cookie) => signOut(mode, { cookie }),
  ({ app }) => app.signIns.endAll(ALICE.id),
  async ({ app }) => {
    const [record] = await app.signIns.list(ALICE.id)
    return app.signIns.end({ accountId: ALICE.id, signInId: record?.id ?? '' })
  },
]

function renewalOf(client: DeviceClient, mode: string, [offer]: Offer[]) {
  if (offer && !client.registers) return () => client.register(offer)
  const bound = client.bound.get(proofOf(mode))
  if (!bound) throw new Error('the sign-in was not bound')
  client.jar.delete(proofOf(mode))
  return () => client.refresh(bound)
}

/** A browser at `here` that never hears of the end at `there`, and keeps all cookies. */
export async function beginDeviceRace(
  here: DeviceApp,
  there: DeviceApp,
  what: UnderWay,
  draw: Draw,
): Promise<Racers> {
  const mode = draw.from(['cookie', 'session'] as const)
  const end = draw.from(ENDS)
  const client = here.browser()
  client.registers = what === 'refresh'
  const renew = renewalOf(client, mode, offersOf(await here.signIn(client, mode)))
  const cookie = client.cookies()
  return {
    renew: async () => (await renew()).statusCode,
    end: () => end(there, mode, cookie),
    async use() {
      const answers = [await here.withCookies(client.cookies()), await there.withCookies(client.cookies())]
      return answers.map(({ statusCode }) => statusCode)
    },
  }
}
