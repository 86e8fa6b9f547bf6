import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import type { ModeName, StateStore } from '../../plugins/index.js'
import { openCookie } from '../../plugins/lib/cookie/seal.js'
import { caughtUp } from './followed.js'
import { parts } from './forge.js'
import type { HistoryAccounts } from './history-app.js'
import type { Alarm, Credential, Event, SignIn } from './history-events.js'
import type { Gate, SessionKeys } from './history-gate.js'
import type { TestClock } from './suite.js'

/** Where histories run. */
export interface World {
  /** Two instances, and the stores that they have: as they are, without the gate. */
  readonly apps: readonly FastifyInstance[]
  readonly stores: readonly StateStore[]
  readonly accounts: HistoryAccounts
  readonly clock: TestClock
  readonly gate: Gate
  readonly sessionKeys: SessionKeys
  runs: number
}

const NEVER = Number.POSITIVE_INFINITY

type Sending = Pick<Event, 'kind' | 'on'> & Partial<Omit<Event, 'start' | 'end'>>
type Headers = Readonly<Record<string, string>>

/** What clients ask for. Everything is noted, in the order in which they see it. */
export class Requests {
  readonly events: Event[] = []
  readonly signIns: SignIn[] = []
  readonly alarms: Alarm[] = []
  #now = 0
  #writes = 0

  constructor(private readonly world: World) {}

  noteAlarm(signInId: string): void {
    this.alarms.push({ signInId, at: ++this.#now, now: this.world.clock.now })
  }

  /** @param replaced the sign-in whose credential is sent. @returns null where the password is another one by now */
  async logIn(account: string, mode: ModeName, replaced: SignIn | null, on: number): Promise<SignIn | null> {
    const own = replaced?.credentials.at(-1)
    const body = { username: account, password: this.world.accounts.passwordOf(account) }
    const sending = { kind: 'log in', on, account, replaced, until: own?.until } as const
    const [event, answer] = await this.#send(sending, 'POST', `/login/${mode}`, own?.headers, body)
    // With the wrong password, or one that was changed while the sign-in began.
    if (event.status === 403 || event.code === 'EPOCH_PASSED') return null
    if (event.status !== 200) throw new Error(`login was answered with ${event.status}`)
    const { issued, epoch } = answer.json()
    const name = `S${this.signIns.length}`
    const id: string = issued.signInId
    const signIn: SignIn = { id, name, account, mode, epoch, login: event, credentials: [], tokens: [] }
    if (mode === 'token') this.#keepPair(signIn, -1, issued)
    else this.#keepCookie(signIn, answer)
    this.signIns.push(signIn)
    await this.#beHeard(event)
    return signIn
  }

  async read(signIn: SignIn, { headers, until }: Credential, on: number): Promise<void> {
    const url = signIn.mode === 'session' ? '/data' : '/me'
    const [event, answer] = await this.#send({ kind: 'read', on, signIn, until }, 'GET', url, headers)
    if (event.status !== 200) return
    event.found = Object.keys(answer.json()).filter((key) => /^w\d/.test(key))
    if (signIn.mode === 'cookie') this.#keepCookie(signIn, answer)
  }

  async write(signIn: SignIn, { headers, until }: Credential, on: number): Promise<void> {
    const key = `w${++this.#writes}`
    await this.#send({ kind: 'write', on, signIn, until, key }, 'POST', '/data', headers, { key })
  }

  async logOut(signIn: SignIn, { headers, until }: Credential, on: number): Promise<void> {
    const sending = { kind: 'log out', on, signIn, until } as const
    const [event] = await this.#send(sending, 'POST', `/logout/${signIn.mode}`, headers)
    await this.#beHeard(event)
  }

  async endOthers(signIn: SignIn, { headers, until }: Credential, on: number): Promise<void> {
    const sending = { kind: 'end others', on, signIn, until } as const
    const [event] = await this.#send(sending, 'POST', '/end_others', headers)
    await this.#beHeard(event)
  }

  async changePassword(signIn: SignIn, { headers, until }: Credential, on: number): Promise<void> {
    const sending = { kind: 'change password', on, signIn, until } as const
    const current = this.world.accounts.passwordOf(signIn.account)
    const body = { current, next: `password ${this.#now}` }
    const [event, answer] = await this.#send(sending, 'POST', '/password', headers, body)
    if (event.status === 200) event.epoch = answer.json().epoch
    await this.#beHeard(event)
  }

  /** @param presented the counter of the token */
  async refresh(signIn: SignIn, presented: number, on: number): Promise<void> {
    const sending = { kind: 'refresh', on, signIn, presented } as const
    const token = signIn.tokens[presented]
    const [event, answer] = await this.#send(sending, 'POST', '/refresh', {}, { token })
    if (event.status === 200) event.successor = this.#keepPair(signIn, presented, answer.json())
    await this.#beHeard(event)
  }

  async list(account: string, on: number): Promise<void> {
    const event = this.#begin({ kind: 'list', on, account })
    const records = await this.world.apps[on]?.signIns.list(account)
    event.found = (records ?? []).map(({ id }) => id)
    event.status = 200
    this.#end(event)
  }

  async #send(
    sending: Sending,
    method: 'GET' | 'POST',
    url: string,
    headers: Headers = {},
    payload?: object,
  ): Promise<[Event, LightMyRequestResponse]> {
    const event = this.#begin(sending)
    const app = this.world.apps[event.on]
    if (!app) throw new Error('no such instance')
    const answer = await app.inject({ method, url, headers: { ...headers }, payload })
    event.status = answer.statusCode
    event.code = answer.statusCode === 200 ? null : answer.json().code
    this.#end(event)
    return [event, answer]
  }

  #begin({ kind, on, ...more }: Sending): Event {
    const event: Event = {
      ...{ kind, on, account: more.signIn?.account ?? '', signIn: null, until: NEVER, replaced: null },
      ...{ start: ++this.#now, startedAt: this.world.clock.now, end: NEVER, endedAt: NEVER, heard: NEVER },
      ...{ status: 0, code: null, presented: -1, successor: -1, key: '', found: [], epoch: 0 },
      ...more,
    }
    this.events.push(event)
    return event
  }

  #end(event: Event): void {
    event.end = ++this.#now
    event.endedAt = this.world.clock.now
  }

  /** Waits until the other instance knows what this one has stored. */
  async #beHeard(event: Event): Promise<void> {
    const [here, there] = [this.world.stores[event.on], this.world.stores[1 - event.on]]
    if (here && there && here !== there) await caughtUp(here, there)
    event.heard = ++this.#now
  }

  /** @returns the counter of the refresh token */
  #keepPair(signIn: SignIn, presented: number, pair: { token: string; refreshToken: string }): number {
    const headers = { authorization: `Bearer ${pair.token}` }
    signIn.credentials.push({ headers, until: parts(pair.token).payload.exp * 1000 })
    signIn.tokens[presented + 1] ??= pair.refreshToken
    return signIn.tokens.indexOf(pair.refreshToken)
  }

  #keepCookie(signIn: SignIn, answer: LightMyRequestResponse): void {
    const [cookie] = answer.cookies
    const [app] = this.world.apps
    if (!app || !cookie?.value) return
    const sealed = signIn.mode === 'cookie' ? openCookie(app.keyRing.purpose('cookie'), cookie.value) : null
    const headers = { cookie: `${cookie.name}=${cookie.value}` }
    signIn.credentials.push({ headers, until: sealed ? sealed.exp * 1000 : NEVER })
  }
}
