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

/** 200 if one of them is, unless there is one that should not be. */
function sumUp(statuses: number[]): number {
  const odd = statuses.find((status) => status !== 200 && status !== 401)
  return odd ?? (statuses.includes(200) ? 200 : 401)
}

/** Three at once, because a browser asks again if it gets no answer. */
function renewalOf(client: DeviceClient, mode: string, [offer]: Offer[]): () => Promise<number> {
  if (!client.registers && offer) return async () => (await client.register(offer)).statusCode
  const bound = client.bound.get(proofOf(mode))
  if (!bound) throw new Error('the sign-in was not bound')
  client.jar.delete(proofOf(mode))
  return async () => {
    const answers = await Promise.all([1, 2, 3].map(() => client.refresh({ ...bound })))
    return sumUp(answers.map(({ statusCode }) => statusCode))
  }
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
  const login = await here.signIn(client, mode)
  const before = client.cookies()
  const bound = client.bound.get(proofOf(mode))
  const renew = renewalOf(client, mode, offersOf(login))
  return {
    renew,
    end: () => end(there, mode, before),
    async use() {
      const statuses: number[] = []
      const last = client.bound.get(proofOf(mode)) ?? bound
      for (const app of [here, there]) {
        for (const cookies of [before, client.cookies()])
          statuses.push((await app.withCookies(cookies)).statusCode)
        if (last) statuses.push((await app.browser().refresh({ ...last })).statusCode)
      }
      return statuses
    },
  }
}
