import type { Clock } from '../contract.js'
import { CredentialExpired, StoreUnavailable } from '../errors.js'
import type { Member } from './watched.js'

/** When a connection ends although its sign-in goes on: when the proof expires that it was opened with. */
export interface Deadline {
  /** In ms, by the suite's clock. */
  at: number
  /** Called at that time. @returns the next deadline, in ms. Null: the connection ends without a question */
  readonly renew: (() => Promise<number>) | null
}

const LOOK_EACH = 240

/** The connections that have a deadline. */
export class Deadlines {
  readonly #all = new Map<Member, Deadline>()
  readonly #asked = new Set<Member>()
  #timer: NodeJS.Timeout | undefined

  constructor(private readonly clock: Clock) {}

  /** @param deadline null: it has none */
  add(member: Member, deadline: Deadline | null): void {
    if (!deadline) return
    this.#all.set(member, { ...deadline })
    // Nothing runs while nothing has a deadline.
    this.#timer ??= setInterval(() => this.#look(), LOOK_EACH).unref()
  }

  drop(member: Member): void {
    this.#all.delete(member)
    if (this.#all.size === 0) this.close()
  }

  /**
   * Whether a message of the connection may pass now. False: its time is over, and it was ended. Null: `renew` was
   * called, and has not answered yet.
   * @param sure called if the connection goes on
   */
  check(member: Member, sure = () => {}): boolean | null {
    const deadline = this.#all.get(member)
    const isInTime = deadline === undefined || this.clock() < deadline.at
    if (isInTime) return true
    if (deadline.renew) {
      void this.#ask(member, deadline, deadline.renew, sure)
      return null
    }
    this.#end(member, new CredentialExpired())
    return false
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    for (const member of [...this.#all.keys()]) this.check(member)
  }

  async #ask(
    member: Member,
    deadline: Deadline,
    renew: () => Promise<number>,
    sure: () => void,
  ): Promise<void> {
    if (this.#asked.has(member)) return
    this.#asked.add(member)
    try {
      deadline.at = await renew()
      if (!this.#all.has(member)) return
      if (this.clock() < deadline.at) sure()
      else this.#end(member, new CredentialExpired())
    } catch {
      this.#end(member, new StoreUnavailable())
    } finally {
      this.#asked.delete(member)
    }
  }

  #end(member: Member, reason: Error): void {
    this.drop(member)
    member.end(reason)
  }
}
