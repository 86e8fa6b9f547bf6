import { StoreUnavailable } from '../errors.js'
import type { Found } from '../identity/caller.js'
import type { StateStore } from '../stores/contract.js'
import { type Answer, type QuestionParts, Questions } from './questions.js'
import { keyOf, type Member, Watched } from './watched.js'

/*
 * When an open connection hears of the end of its sign-in.
 *
 * The store says that this process has learned of revocations. Then all watched sign-ins are looked up in memory, which
 * takes a millisecond for 10 000. Before each message, the sign-in is looked up as well, so that no message passes between
 * the end and its notice.
 *
 * While memory cannot be trusted, the store is asked about all of them, twice a second. A copy is trusted for 750 ms after
 * it was known to be complete (see stores/redis/heartbeat.ts). Two ticks and the wait for an
 * answer take less than the rest of a second: within a second of an end, the connections are closed.
 */

/** In ms. */
const TICK = 40
/** How long a sign-in may be in doubt, in ms. Longer if the store keeps no copy, whose age would count as well. */
const SURE_WITHIN = { withCopy: 160, without: 400 }
/** How long the reading of a record may take, in ms. No message passes meanwhile. */
const READ_WITHIN = 1000
const ASK_AGAIN = 500
const LOOK_FOR_DUE = 240
/** A walk takes at most this share of the time, if revocations come all the time. */
const WALK_SHARE = 0.2

export interface WatchParts extends QuestionParts {
  readonly store: Pick<StateStore, 'areLive' | 'feed' | 'generation' | 'onRevoked'>
}

/** The sign-ins of all open connections. */
export class Watch {
  readonly #store: WatchParts['store']
  readonly #questions: Questions
  readonly #all = new Map<string, Watched>()
  readonly #doubted = new Set<Watched>()
  #timer: NodeJS.Timeout | undefined
  #leaveStore = () => {}
  /** Whether memory could be trusted at the last look. */
  #isTrusted = true
  #walkedAt = 0
  #walkTook = 0
  #walkTimer: NodeJS.Timeout | undefined
  #lookedForDueAt = 0

  constructor(parts: WatchParts) {
    this.#store = parts.store
    this.#questions = new Questions(parts)
  }

  /** Adds a member to the sign-in of a caller. Follow it by `check`. */
  join(found: Found, member: Member): Watched {
    const key = keyOf(found)
    const watched = this.#all.get(key) ?? this.#add(new Watched(key, found))
    watched.members.add(member)
    return watched
  }

  /** How many sockets and streams the caller's sign-in has. */
  connectionsOf(found: Found): number {
    return this.#all.get(keyOf(found))?.connections ?? 0
  }

  leave(watched: Watched, member: Member): void {
    watched.members.delete(member)
    if (watched.members.size === 0) this.#drop(watched)
  }

  /**
   * Whether the sign-in is live. If it is not, its members were ended. null: that is not known yet, and the members will be
   * told soon.
   */
  check(watched: Watched): boolean | null {
    if (watched.ended) return false
    if (watched.doubtedUntil !== null) return null
    const answer = this.#questions.ask(watched)
    if (answer instanceof Promise) {
      this.#doubt(watched, answer)
      return null
    }
    this.#learn(watched, answer)
    return answer === true
  }

  /** Tells all members that the server stops. */
  stop(): void {
    for (const watched of [...this.#all.values()]) {
      for (const member of [...watched.members]) member.stop?.()
    }
  }

  close(): void {
    this.#all.clear()
    this.#rest()
  }

  #add(watched: Watched): Watched {
    if (this.#all.size === 0) this.#begin()
    this.#all.set(watched.key, watched)
    return watched
  }

  #drop(watched: Watched): void {
    this.#doubted.delete(watched)
    if (this.#all.get(watched.key) !== watched) return
    this.#all.delete(watched.key)
    if (this.#all.size === 0) this.#rest()
  }

  /** Nothing runs while nothing is watched. */
  #begin(): void {
    this.#timer = setInterval(() => this.#tick(), TICK).unref()
    this.#leaveStore = this.#store.onRevoked?.(() => this.#walkSoon()) ?? (() => {})
  }

  #rest(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#walkTimer)
    this.#walkTimer = undefined
    this.#leaveStore()
  }

  #end(watched: Watched, reason: Error): void {
    this.#drop(watched)
    watched.end(reason)
  }

  #doubt(watched: Watched, answer: Promise<Answer>): void {
    const sureWithin = this.#store.feed ? SURE_WITHIN.withCopy : SURE_WITHIN.without
    const within = this.#questions.isDue(watched) ? READ_WITHIN : sureWithin
    watched.doubtedUntil ??= performance.now() + within
    this.#doubted.add(watched)
    watched.isAsked = true
    void answer.then((told) => {
      watched.isAsked = false
      this.#learn(watched, told)
    })
  }

  #learn(watched: Watched, answer: Answer): void {
    // Without an answer it is asked again, until it has been in doubt for too long.
    if (watched.ended || answer === null) return
    if (answer !== true) this.#end(watched, answer)
    else if (watched.doubtedUntil !== null) {
      this.#doubted.delete(watched)
      watched.settle()
    }
  }

  #tick(): void {
    const now = performance.now()
    // After the sockets: if this process stood still, the answers may have come and lie unread.
    if (this.#doubted.size > 0) setImmediate(() => this.#pressOn())
    if (now - this.#lookedForDueAt >= LOOK_FOR_DUE) this.#lookForDue(now)
    if (this.#isTold()) this.#isTrusted = true
    else if (this.#isTrusted || now - this.#walkedAt >= ASK_AGAIN) {
      this.#isTrusted = false
      this.#walk()
    }
  }

  /** Whether the store tells of revocations, and of all of them. Asking about one shows it. */
  #isTold(): boolean {
    const [first] = this.#all.values()
    return this.#store.onRevoked !== undefined && (first === undefined || this.check(first) !== null)
  }

  #pressOn(): void {
    const now = performance.now()
    for (const watched of [...this.#doubted]) {
      if (now > (watched.doubtedUntil ?? now)) this.#end(watched, new StoreUnavailable())
      else if (!watched.isAsked) this.#doubt(watched, Promise.resolve(this.#questions.ask(watched)))
    }
  }

  #lookForDue(now: number): void {
    this.#lookedForDueAt = now
    for (const watched of [...this.#all.values()]) if (this.#questions.isDue(watched)) this.check(watched)
  }

  #walkSoon(): void {
    if (this.#walkTimer) return
    const pause = this.#walkedAt + this.#walkTook / WALK_SHARE - performance.now()
    if (pause <= 0) this.#walk()
    else this.#walkTimer = setTimeout(() => this.#walk(), pause).unref()
  }

  #walk(): void {
    clearTimeout(this.#walkTimer)
    this.#walkTimer = undefined
    const began = performance.now()
    for (const watched of [...this.#all.values()]) this.check(watched)
    this.#walkedAt = performance.now()
    this.#walkTook = this.#walkedAt - began
  }
}
