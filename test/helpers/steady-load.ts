import { setTimeout as delay } from 'node:timers/promises'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Fleet } from './fleet.js'
import { type Credential, MODES, type Mode, USER } from './http.js'

/** A client renews what lives no longer than this. In ms, and more than the clock is moved at once. */
const MARGIN = 660_000
const CLIENTS_OF_A_MODE = 2

/** Told of each access token that a client got. */
type Witness = (token: string) => Promise<void>

/** Somebody who signs in by one mode, asks who they are, renews what can be renewed, and signs in anew in time. */
class Client {
  #credential: Credential = {}
  #refreshToken = ''
  /** Of the credential, and of the sign-in. In ms. */
  #until = 0
  #end = 0

  constructor(
    private readonly load: SteadyLoad,
    readonly mode: Mode,
  ) {}

  async step(): Promise<void> {
    const due = this.load.fleet.clock() + MARGIN
    if (due > this.#end || Math.random() < 0.05) await this.#login()
    else if (this.mode === 'token' && (due > this.#until || Math.random() < 0.3)) await this.#refresh()
    else if (due > this.#until) await this.#login()
    else await this.#ask()
  }

  async #login(): Promise<void> {
    const url = `/login_${this.mode}`
    const response = await this.#send({ method: 'POST', url, payload: USER, headers: this.#credential })
    if (this.mode === 'token') return this.#keepTokens(response)
    this.#end = this.load.fleet.clock() + this.load.lifetime * 1000
    this.#until = this.#end
    this.#keepCookie(response)
  }

  async #refresh(): Promise<void> {
    const payload = { refresh_token: this.#refreshToken }
    await this.#keepTokens(await this.#send({ method: 'POST', url: '/refresh_token', payload }))
  }

  async #ask(): Promise<void> {
    const response = await this.#send({ method: 'GET', url: '/user_info', headers: this.#credential })
    const { auth_type } = response.json()
    if (response.statusCode === 200 && auth_type !== this.mode)
      this.load.refusals.push(`taken for ${auth_type}`)
    this.#keepCookie(response)
  }

  async #keepTokens(response: LightMyRequestResponse): Promise<void> {
    if (response.statusCode !== 200) return
    const { token, refresh_token, expires_in, refresh_expires_in } = response.json().data
    const now = this.load.fleet.clock()
    this.#credential = { authorization: `Bearer ${token}` }
    this.#refreshToken = refresh_token
    this.#until = now + expires_in * 1000
    this.#end = now + refresh_expires_in * 1000
    await this.load.witness(token)
  }

  /** As a browser does, whenever an answer sets it. */
  #keepCookie({ cookies: [cookie] }: LightMyRequestResponse): void {
    if (!cookie) return
    this.#credential = { cookie: `${cookie.name}=${cookie.value}` }
    if (cookie.maxAge !== undefined) this.#until = this.load.fleet.clock() + cookie.maxAge * 1000
  }

  async #send(request: InjectOptions): Promise<LightMyRequestResponse> {
    const response = await this.load.fleet.inject(request)
    this.load.answers++
    if (response.statusCode !== 200) {
      this.load.refusals.push(`${this.mode} ${request.url}: ${response.statusCode} ${response.body}`)
    }
    return response
  }
}

/** A light, steady load in all three modes, each request at any instance. */
export class SteadyLoad {
  /** Whatever was not answered as it should be. */
  readonly refusals: string[] = []
  answers = 0
  readonly #clients: readonly Client[]
  #running: readonly Promise<void>[] = []
  #stopped = true

  /** @param lifetime of a sign-in by cookie or session, in seconds: clients sign in anew before it ends */
  constructor(
    readonly fleet: Fleet,
    readonly lifetime: number,
    readonly witness: Witness = async () => {},
  ) {
    this.#clients = MODES.flatMap((mode) =>
      Array.from({ length: CLIENTS_OF_A_MODE }, () => new Client(this, mode)),
    )
  }

  start(): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#running = this.#clients.map((client) => this.#run(client))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  /** Waits until every client has had its turn a few times. */
  async round(): Promise<void> {
    const enough = this.answers + this.#clients.length * 3
    while (this.answers < enough) await delay(2)
  }

  /** Moves the time by less than clients take care of, while nothing is under way; then every client has a turn. */
  async advance(seconds: number): Promise<void> {
    await this.stop()
    this.fleet.clock.advance(seconds)
    await Promise.all(this.#clients.map((client) => client.step()))
    this.start()
  }

  async #run(client: Client): Promise<void> {
    while (!this.#stopped) {
      await client.step()
      await delay(Math.random() * 20)
    }
  }
}
