import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DeviceApp } from './device-app.js'
import { proofOf } from './device-app.js'
import { type DeviceClient, offersOf } from './device-client.js'
import { ALICE } from './suite.js'

/** What was under way when the sign-in was ended. */
export type UnderWay = 'refresh' | 'registration'

/** Two instances, or one twice. */
export interface Instances {
  readonly here: DeviceApp
  readonly there: DeviceApp
  /** Waits until `here` has heard of all that `there` has ended. */
  readonly heard: () => Promise<void>
}

/** How many rounds came to what. */
export interface Outcomes {
  granted: number
  refused: number
  /** Granted, although it was asked for after the sign-out was answered. */
  late: number
  /** After which something was accepted. */
  undone: number
}

const MODES = ['cookie', 'session'] as const
type Mode = (typeof MODES)[number]

/** Each ends the sign-in of whoever sends these cookies, on an instance. */
const ENDS: readonly ((app: DeviceApp, mode: Mode, cookie: string) => Promise<unknown>)[] = [
  ({ signOut }, mode, cookie) => signOut(mode, { cookie }),
  ({ app }) => app.signIns.endAll(ALICE.id),
  async ({ app }) => {
    for (const { id } of await app.signIns.list(ALICE.id))
      await app.signIns.end({ accountId: ALICE.id, signInId: id })
  },
]

/** More turns than what is under way takes where nothing is slow. */
const TURNS = 14

async function signInAt(here: DeviceApp, mode: Mode, what: UnderWay) {
  const client = here.browser()
  client.registers = what === 'refresh'
  const login = await here.signIn(client, mode)
  return { client, start: starter(client, mode, what, offersOf(login)) }
}

function starter(client: DeviceClient, mode: Mode, what: UnderWay, offers: ReturnType<typeof offersOf>) {
  const [offer] = offers
  if (what === 'registration' && offer) return () => client.register(offer)
  const bound = client.bound.get(proofOf(mode))
  if (!bound) throw new Error('the sign-in was not bound')
  client.jar.delete(proofOf(mode))
  return () => client.refresh(bound)
}

/** Ends a sign-in while its browser refreshes or registers. The browser keeps all cookies: it never hears of the end. */
async function race({ here, there, heard }: Instances, what: UnderWay, round: number, outcomes: Outcomes) {
  const mode = MODES[round % 2] ?? 'cookie'
  const end = ENDS[round % ENDS.length] ?? ENDS[0]
  const { client, start } = await signInAt(here, mode, what)
  const cookie = client.cookies()
  const turns = round % TURNS
  // In every other round after the last turn, the end comes first.
  const isLate = turns === TURNS - 1
  if (isLate) await end?.(there, mode, cookie)
  const underWay = start()
  for (let turn = 0; turn < turns; turn++) await nextTurn()
  if (!isLate) await end?.(there, mode, cookie)
  const { statusCode } = await underWay
  if (statusCode !== 200 && statusCode !== 401) throw new Error(`round ${round}: ${statusCode}`)
  outcomes[statusCode === 200 ? 'granted' : 'refused'] += 1
  if (isLate && statusCode === 200) outcomes.late += 1
  await heard()
  const answers = [await here.withCookies(client.cookies()), await there.withCookies(client.cookies())]
  if (answers.some((answer) => answer.statusCode !== 401)) outcomes.undone += 1
}

export async function raceAll(instances: Instances, what: UnderWay, rounds: number): Promise<Outcomes> {
  const outcomes = { granted: 0, refused: 0, late: 0, undone: 0 }
  for (let round = 0; round < rounds; round++) await race(instances, what, round, outcomes)
  return outcomes
}
