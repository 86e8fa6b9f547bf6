import type { ModeName } from '../../plugins/index.js'
import { describe, type SignIn } from './history-events.js'
import type { Request } from './history-gate.js'
import { judge } from './history-judge.js'
import { Requests, type World } from './history-requests.js'
import type { Step } from './history-steps.js'

/** Below a session's idle time, in seconds: none passes away by itself. */
const TIME_MAX = 7000
/** After which a session is touched, in seconds. */
const TOUCH_DUE = 721

type Use = Exclude<Step['kind'], 'pass' | 'log in'>

/** What only sign-ins of one mode can be used for. */
const MODES: Partial<Record<Use, ModeName>> = {
  write: 'session',
  touch: 'session',
  refresh: 'token',
  retry: 'token',
  steal: 'token',
}

/** Runs one history, and has it judged. */
export class History {
  readonly #requests: Requests
  readonly #accounts: readonly string[]
  readonly #clients: SignIn[][] = [[], [], []]
  readonly #thrown: string[] = []
  #last: SignIn | undefined
  #passed = 0

  constructor(private readonly world: World) {
    this.#requests = new Requests(world)
    const run = ++world.runs
    world.sessionKeys.clear()
    this.#accounts = [0, 1].map((index) => `account-${run}-${index}`)
    for (const id of this.#accounts) world.accounts.add(id)
  }

  /** @throws with all that went wrong, and with what happened */
  async run(steps: readonly Step[]): Promise<void> {
    const { apps, gate } = this.world
    const stops = apps.map((app) =>
      app.audit.subscribe((event) => {
        if (event.type === 'refresh_reuse_detected') this.#requests.noteAlarm(event.signInId)
      }),
    )
    let left: ReadonlySet<string> = new Set()
    try {
      await this.#play(steps)
      await this.#probe()
      left = await this.#endAll()
    } catch (error) {
      this.#thrown.push(String(error))
    } finally {
      gate.open = true
      await gate.settle()
      for (const stop of stops) stop()
    }
    this.#judge(left)
  }

  #judge(left: ReadonlySet<string>): void {
    const { events, signIns, alarms } = this.#requests
    const wrongs = [...this.#thrown, ...judge({ events, signIns, alarms, left })]
    if (wrongs.length === 0) return
    const nameOf = (signInId: string) => signIns.find(({ id }) => id === signInId)?.name ?? signInId
    const told = alarms.map(({ signInId, at }) => `${at} alarm for ${nameOf(signInId)}`)
    throw new Error([...wrongs, 'What happened:', ...events.map(describe), ...told].join('\n  '))
  }

  async #play(steps: readonly Step[]): Promise<void> {
    const { gate } = this.world
    gate.open = false
    for (const each of steps) {
      const request = this.#take(each)
      if (request !== null) await gate.releaseOwn(request, each.own)
      for (const pick of each.picks) await gate.release(pick)
      if (each.settles) await gate.settle()
    }
    await gate.settle()
    gate.open = true
  }

  #take(step: Step): Request | null {
    const { kind } = step
    if (kind === 'log in') return this.#start(() => this.#logIn(step))
    if (kind === 'pass' || kind === 'touch') this.#pass(kind === 'pass' ? step.seconds : TOUCH_DUE)
    const signIn = kind === 'pass' ? undefined : this.#pick(step, MODES[kind])
    this.#last = signIn ?? this.#last
    return kind !== 'pass' && signIn ? this.#start(() => this.#use(kind, signIn, step)) : null
  }

  #start(serve: () => Promise<void>): Request {
    return this.world.gate.start(() =>
      serve().catch((error: unknown) => void this.#thrown.push(String(error))),
    )
  }

  #pass(seconds: number): void {
    if (this.#passed + seconds > TIME_MAX) return
    this.#passed += seconds
    this.world.clock.advance(seconds)
  }

  /** One of the client's sign-ins, of that mode where only such will do. Rather one that lives, as far as is known. */
  #pick({ client, which, same }: Step, mode: ModeName | undefined): SignIn | undefined {
    const fits = (each: SignIn) => mode === undefined || each.mode === mode
    if (same && this.#last && fits(this.#last)) return this.#last
    const held = (this.#clients[client] ?? []).filter(fits)
    if (which > 0) return held.at(-(which % (held.length || 1)))
    const refused = this.#requests.events.filter(({ status }) => status === 401).map(({ signIn }) => signIn)
    const living = this.#requests.signIns.filter((each) => fits(each) && !refused.includes(each))
    return held.findLast((each) => living.includes(each)) ?? living.at(-1) ?? held.at(-1)
  }

  async #logIn({ client, account, mode, replaces, on }: Step): Promise<void> {
    const held = this.#clients[client] ?? []
    const replaced = (replaces && held.findLast((each) => each.mode === mode)) || null
    const signIn = await this.#requests.logIn(this.#accounts[account] ?? '', mode, replaced, on)
    if (signIn) held.push(signIn)
  }

  async #use(kind: Use, signIn: SignIn, step: Step): Promise<void> {
    const { age, on } = step
    const requests = this.#requests
    const credential = signIn.credentials.at(-1 - (age % signIn.credentials.length))
    if (!credential) return
    if (kind === 'write') await requests.write(signIn, credential, on)
    else if (kind === 'log out') await requests.logOut(signIn, credential, on)
    else if (kind === 'end others') await requests.endOthers(signIn, credential, on)
    else if (kind === 'change password') await requests.changePassword(signIn, credential, on)
    else if (kind === 'read' || kind === 'touch') await requests.read(signIn, credential, on)
    else await requests.refresh(signIn, this.#counterFor(kind, signIn, step), on)
  }

  /** The newest one; the one that was presented last; or one that somebody may have copied at any time. */
  #counterFor(kind: 'refresh' | 'retry' | 'steal', signIn: SignIn, { age, which }: Step): number {
    const newest = signIn.tokens.length - 1
    if (kind === 'steal') return (age + which) % signIn.tokens.length
    const presented = this.#requests.events.findLast(
      (event) => event.kind === 'refresh' && event.signIn === signIn,
    )
    return kind === 'retry' ? (presented?.presented ?? newest) : newest
  }

  /** In the end, one after another: what lives is known, what ended is not, and no old token is worth anything. */
  async #probe(): Promise<void> {
    await this.#ask(0)
    for (const signIn of this.#requests.signIns.filter(({ mode }) => mode === 'token')) {
      await this.#requests.refresh(signIn, signIn.tokens.length - 1, 0)
      await this.#requests.refresh(signIn, 0, 1)
    }
    await this.#ask(1)
  }

  async #ask(turn: number): Promise<void> {
    for (const [index, signIn] of this.#requests.signIns.entries()) {
      const credential = signIn.credentials.at(-1)
      if (credential) await this.#requests.read(signIn, credential, (index + turn) % 2)
    }
    for (const account of this.#accounts) await this.#requests.list(account, turn)
  }

  /** @returns the ids of those whose sessions are stored all the same */
  async #endAll(): Promise<ReadonlySet<string>> {
    const { apps, stores, sessionKeys, clock } = this.world
    for (const account of this.#accounts) await apps[0]?.signIns.endAll(account)
    const left = new Set<string>()
    for (const [id, key] of sessionKeys) if (await stores[0]?.readSession(key, clock.now)) left.add(id)
    return left
  }
}
