import { type Alarm, type Event, GRACE, type Outcome, type SignIn } from './history-events.js'

/** Something that may have ended a sign-in: from when on, and from when on that is certain, by instance. */
interface Ending {
  readonly by: Event['kind']
  readonly begun: number
  readonly done: readonly number[]
}

const NEVER = Number.POSITIVE_INFINITY

/**
 * What is wrong with a history. Each request is judged by what was answered before it began (that holds), and
 * by what began before it was answered (that may hold).
 */
export function judge(outcome: Outcome): string[] {
  return [
    ...outcome.signIns.flatMap((signIn) => new Judge(outcome, signIn).judge()),
    ...outcome.alarms.filter((alarm) => !isJustified(outcome, alarm)).map(() => 'a false alarm'),
  ]
}

/** An alarm needs a refresh that was under way, and may have been theft by then. */
function isJustified({ events, signIns }: Outcome, { signInId, at, now }: Alarm): boolean {
  const signIn = signIns.find(({ id }) => id === signInId)
  const refreshes = events.filter((event) => event.kind === 'refresh' && event.signIn === signIn)
  return refreshes.some((each) => each.start < at && at < each.end && mayBeTheft(refreshes, each, at, now))
}

/** Whether the token may have been used up at that place in the order, and time: rotated too long ago, or its successor presented. */
function mayBeTheft(refreshes: readonly Event[], theft: Event, at: number, now: number): boolean {
  return refreshes.some(({ start, startedAt, presented }, index) => {
    if (start >= at || refreshes[index] === theft) return false
    return presented === theft.presented + 1 || (presented === theft.presented && now >= startedAt + GRACE)
  })
}

/** Whether it is beyond doubt: the same was answered before, and the grace has passed or the successor's use was answered. */
function isTheft(refreshes: readonly Event[], theft: Event): boolean {
  const before = refreshes.filter(({ end, status }) => end < theft.start && status === 200)
  const rotations = before.filter(({ presented }) => presented === theft.presented)
  const isLate = rotations.some(({ endedAt }) => theft.startedAt >= endedAt + GRACE)
  const isUsed = before.some(({ presented }) => presented > theft.presented)
  return rotations.length > 0 && (isLate || isUsed)
}

/** All that one sign-in was used for. */
class Judge {
  readonly #own: readonly Event[]
  readonly #refreshes: readonly Event[]
  readonly #endings: readonly Ending[]

  constructor(
    private readonly outcome: Outcome,
    private readonly signIn: SignIn,
  ) {
    this.#own = outcome.events.filter((event) => event.signIn === signIn)
    this.#refreshes = this.#own.filter(({ kind }) => kind === 'refresh')
    this.#endings = outcome.events.flatMap((event) => this.#endingBy(event) ?? [])
  }

  judge(): string[] {
    const uses = this.#own.filter(({ kind }) => kind !== 'log out' && kind !== 'list')
    const lists = this.outcome.events.filter(
      ({ kind, account }) => kind === 'list' && account === this.signIn.account,
    )
    const wrongs = [
      ...uses.flatMap((event) => this.#judgeUse(event)),
      ...this.#refreshes.flatMap((event) => this.#judgeRefresh(event)),
      ...this.#own.filter(({ kind }) => kind === 'read').flatMap((event) => this.#judgeData(event)),
      ...lists.flatMap((event) => this.#judgeList(event)),
      ...this.#judgeLeft(),
    ]
    return wrongs.map((wrong) => `${this.signIn.mode} ${this.signIn.name}: ${wrong}`)
  }

  #judgeUse(event: Event): string[] {
    const { kind, on, start, end, status, until, endedAt } = event
    const isRefused = status === 401
    if (!isRefused && this.#hasEnded(start, on)) return [`${kind} at ${start} revived it`]
    if (isRefused && endedAt < until && !this.#mayHaveEnded(end))
      return [`${kind} at ${start} was refused, and it lives`]
    return isRefused || status === 200 || (kind === 'change password' && status === 403)
      ? []
      : [`${kind} at ${start} was answered with ${status}`]
  }

  #judgeRefresh(event: Event): string[] {
    const { start, end, status, presented, successor } = event
    const wrongs: string[] = []
    if (isTheft(this.#refreshes, event)) {
      if (status === 200) wrongs.push(`missed theft: the token at ${start} was taken`)
      const alarms = this.outcome.alarms.filter(({ signInId, at }) => signInId === this.signIn.id && at < end)
      const others = this.#endings.some(({ by, begun }) => by !== 'refresh' && begun < end)
      if (alarms.length === 0 && !others) wrongs.push(`missed theft: no alarm by ${end}`)
    }
    if (status === 200 && successor !== presented + 1)
      wrongs.push(`the refresh at ${start} had another successor`)
    return wrongs
  }

  /** Of what its writers were answered nothing is missing, and nothing is there that another account wrote. */
  #judgeData({ start, end, status, found }: Event): string[] {
    if (status !== 200 || this.signIn.mode !== 'session' || this.#mayHaveEnded(end)) return []
    const written = this.#own.filter(
      (event) => event.kind === 'write' && event.status === 200 && event.end < start,
    )
    const all = [...written.map(({ key }) => key), ...this.#inherited()]
    const lost = all
      .filter((key) => !found.includes(key))
      .map((key) => `the update of ${key} was lost by ${end}`)
    const foreign = this.outcome.events.some(
      ({ kind, account, key }) => kind === 'write' && account !== this.signIn.account && found.includes(key),
    )
    return foreign ? [...lost, `another account's data was there at ${end}`] : lost
  }

  /** What was written before this sign-in took the place of another one of the account, which lived until then. */
  #inherited(): string[] {
    const { login, account } = this.signIn
    const { replaced } = login
    if (replaced?.mode !== 'session' || replaced.account !== account) return []
    const before = new Judge(this.outcome, replaced)
    if (before.#endings.some(({ begun }) => begun < login.end && begun !== login.start)) return []
    const written = before.#own.filter(
      ({ kind, end, status }) => kind === 'write' && status === 200 && end < login.start,
    )
    return [...written.map(({ key }) => key), ...before.#inherited()]
  }

  #judgeList({ start, end, on, found }: Event): string[] {
    const isListed = found.includes(this.signIn.id)
    if (isListed && this.#hasEnded(start, on)) return [`it is listed at ${start}, and has ended`]
    // The record of a cookie sign-in may be past its idle limit.
    const isMissing = !isListed && this.signIn.mode !== 'cookie' && this.signIn.login.end < start
    return isMissing && !this.#mayHaveEnded(end) ? [`it is not listed at ${start}, and lives`] : []
  }

  /** A write that was under way must not store it again. A login that its end overtook leaves one that nobody has. */
  #judgeLeft(): string[] {
    const { id, login } = this.signIn
    return this.outcome.left.has(id) && !this.#mayHaveEnded(login.end) ? ['its session is stored again'] : []
  }

  #hasEnded(at: number, on: number): boolean {
    return this.#endings.some(({ done }) => (done[on] ?? NEVER) < at)
  }

  #mayHaveEnded(at: number): boolean {
    return this.#endings.some(({ begun }) => begun < at)
  }

  #endingBy(event: Event): Ending | null {
    const { signIn } = this
    const { kind, start, end, status, code, on } = event
    const certain = { by: kind, begun: start, done: [event.heard, event.heard].with(on, end) }
    const possible = { by: kind, begun: start, done: [] }
    if (event.signIn === signIn) {
      if (kind === 'refresh' && isTheft(this.#refreshes, event)) return certain
      if (kind === 'refresh' && mayBeTheft(this.#refreshes, event, end, event.endedAt)) return possible
      // Once this was said, it stays so.
      const isSaid = code === 'SIGNED_OUT' && event.endedAt < event.until
      if (isSaid) return { by: kind, begun: NEVER, done: [NEVER, NEVER].with(on, end) }
      return kind === 'log out' && status === 200 ? certain : null
    }
    if (status !== 200) return null
    if (event.replaced === signIn) return event.endedAt < event.until ? certain : possible
    if (event.account !== signIn.account || !event.signIn) return null
    if (kind === 'change password') return signIn.epoch < event.epoch ? certain : null
    if (kind !== 'end others' || signIn.login.start >= end) return null
    return signIn.login.end < start ? certain : possible
  }
}
