import type { MaybePromise } from '../contract.js'
import { Newest } from '../newest.js'
import type { SignInRecord } from '../stores/contract.js'
import type { Binding } from './bindings.js'
import type { DeviceParts } from './parts.js'
import type { DeviceRef } from './ref.js'

/** `device`: it needs its proof. `none`: it is not bound, and never will be. `gone`: it has no record any more. */
export type Settled = 'device' | 'none' | 'gone'

/** About 100 bytes each. Beyond this number, a record is read again. */
const KNOWN_MAX = 100_000

/** Decides once for each sign-in whether it is bound. The decision never changes, so it is remembered. */
export class Settlement {
  readonly #known = new Newest<string, Settled>(KNOWN_MAX)
  /** By sign-in: parallel requests share one lookup, and its outcome. */
  readonly #running = new Map<string, Promise<Settled>>()

  constructor(private readonly parts: Pick<DeviceParts, 'bindings' | 'signIns'>) {}

  /** Settles that the sign-in is not bound, unless it is. @throws STORE_UNAVAILABLE */
  settle(ref: DeviceRef): MaybePromise<Settled> {
    const known = this.#known.get(ref.signInId)
    if (known) return known
    const running = this.#running.get(ref.signInId) ?? this.#look(ref)
    this.#running.set(ref.signInId, running)
    return running
  }

  /**
   * Writes a binding anew if the current key has not signed it, because an older key may leave the ring. After a
   * failure, the next refresh tries again.
   */
  async renew(ref: DeviceRef, { binding: replaced }: SignInRecord, binding: Binding): Promise<void> {
    const isStale = 'isStale' in binding && binding.isStale
    const renewed = isStale ? this.parts.bindings.renewed(ref, binding) : null
    if (renewed === null || typeof replaced !== 'string') return
    await this.parts.signIns.settleBinding(ref.accountId, ref.signInId, renewed, replaced).catch(() => null)
  }

  /**
   * Writes what the sign-in is bound to, unless that is settled.
   * @returns the record with the binding that stands; null if there is none any more
   */
  async bind(ref: DeviceRef, text: string): Promise<SignInRecord | null> {
    const { signIns, bindings } = this.parts
    const record = await signIns.find(ref.accountId, ref.signInId)
    if (!record?.binding || bindings.read(ref.mode, record).kind !== 'open') return record
    return signIns.settleBinding(ref.accountId, ref.signInId, text, record.binding)
  }

  #look(ref: DeviceRef): Promise<Settled> {
    const looking = this.#read(ref)
    const done = () => void this.#running.delete(ref.signInId)
    looking.then((settled) => {
      if (settled !== 'gone') this.#known.set(ref.signInId, settled)
      done()
    }, done)
    return looking
  }

  async #read(ref: DeviceRef): Promise<Settled> {
    const { bindings } = this.parts
    const record = await this.bind(ref, bindings.toNothing(ref))
    if (!record) return 'gone'
    const binding = bindings.read(ref.mode, record)
    await this.renew(ref, record, binding)
    // An open or unreadable binding counts as bound, so no request passes without a proof that nobody can make.
    return binding.kind === 'none' ? 'none' : 'device'
  }
}
