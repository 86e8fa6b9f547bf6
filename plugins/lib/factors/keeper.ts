import type { FastifyRequest } from 'fastify'
import { isKeyName } from '../api-key/options.js'
import type { CheckedAccount } from '../contract.js'
import { FactorLimit, FactorRefused, OptionInvalid } from '../errors.js'
import { accountIdText } from '../options.js'
import type { FactorContext } from './context.js'
import type { FactorInfo, FactorKind, Factors, StoredFactor } from './contract.js'
import { codesLeft, newRecoveryRow, recoveryId } from './recovery-codes.js'

/** Whether a text can be the name of a factor: at most 100 visible characters. */
export const isFactorName = isKeyName

/** @throws OPTION_INVALID */
function checkFactorName(name: string): string {
  if (isFactorName(name)) return name
  throw new OptionInvalid('name', 'wants at most 100 visible characters')
}

export function infoOf(factor: StoredFactor): FactorInfo {
  const { id, kind, name, createdAt, lastUsedAt } = factor
  const left = kind === 'recovery_code' ? { left: codesLeft(factor) } : {}
  return Object.freeze({ id, kind, name, createdAt, lastUsedAt, ...left })
}

/** The order in which `kinds` returns them. The order of the rows is no help: rows of the same time have none. */
const ORDER = ['totp', 'passkey', 'recovery_code'] as const

const isSecond = ({ kind }: StoredFactor) => kind !== 'recovery_code'

type Managing = Pick<Factors, 'list' | 'kinds' | 'newRecoveryCodes' | 'rename' | 'remove' | 'reset'>

/** Lists and changes the factors of accounts. Emits an audit event for each change. */
export class FactorKeeper implements Managing {
  constructor(private readonly context: FactorContext) {}

  async list(accountId: string): Promise<readonly FactorInfo[]> {
    return (await this.#stored(accountId)).map(infoOf)
  }

  async kinds(accountId: string): Promise<readonly FactorKind[]> {
    const stored = await this.#stored(accountId)
    if (!stored.some(isSecond)) return []
    const usable = stored.filter((factor) => isSecond(factor) || codesLeft(factor) > 0)
    return ORDER.filter((kind) => usable.some((factor) => factor.kind === kind))
  }

  /**
   * Adds a factor. If the account has no recovery codes, makes them too.
   * @throws FACTOR_LIMIT; FACTOR_REFUSED if it was added before, or the account's epoch was raised meanwhile
   */
  async add(
    factor: StoredFactor,
    { epoch }: CheckedAccount,
    request?: FastifyRequest,
  ): Promise<{ readonly info: FactorInfo; readonly recoveryCodes: readonly string[] }> {
    const { source, settings } = this.context
    checkFactorName(factor.name)
    const outcome = await source.add(factor, settings.cap)
    if (outcome === 'full') throw new FactorLimit()
    if (outcome === 'taken') throw new FactorRefused()
    await this.#takeBackLate(factor, epoch)
    this.#report('factor_added', factor, request)
    const others = (await this.#stored(factor.accountId)).filter(({ id }) => id !== factor.id)
    // Without another factor, existing codes belong to a removed one. Others may know them, so they are replaced.
    const hasCodes = others.some(isSecond) && others.some((one) => !isSecond(one))
    const recoveryCodes = hasCodes ? [] : await this.newRecoveryCodes(factor.accountId, request)
    return { info: infoOf(factor), recoveryCodes }
  }

  /**
   * An administrator may have reset the account's factors, and raised its epoch, since the caller was recognised. A factor
   * that is stored after that must not stay.
   */
  async #takeBackLate({ id, accountId }: StoredFactor, epoch: number): Promise<void> {
    const { app, source } = this.context
    const account = await app.accountSource.find(accountId)
    if (account && (account.epoch ?? 0) === epoch) return
    await source.remove(accountId, [id])
    throw new FactorRefused()
  }

  async newRecoveryCodes(accountId: string, request?: FastifyRequest): Promise<readonly string[]> {
    const { app, source, settings } = this.context
    const { codes, row } = newRecoveryRow(accountIdText(accountId), app.identityClock())
    await source.add(row, settings.cap)
    this.#report('factor_added', row, request)
    return codes
  }

  async rename(accountId: string, id: string, name: string, request?: FastifyRequest): Promise<boolean> {
    checkFactorName(name)
    const factor = (await this.#stored(accountId)).find((one) => one.id === id)
    if (!factor || !(await this.context.source.rename(factor.accountId, id, name))) return false
    this.#report('factor_renamed', factor, request)
    return true
  }

  async remove(accountId: string, id: string, request?: FastifyRequest): Promise<boolean> {
    const stored = await this.#stored(accountId)
    const factor = stored.find((one) => one.id === id)
    if (!factor) return false
    const { source } = this.context
    const isLast = !stored.some((one) => isSecond(one) && one.id !== id)
    const codes = recoveryId(factor.accountId)
    if ((await source.remove(factor.accountId, isLast ? [id, codes] : [id])) === 0) return false
    // A parallel request may have removed the other factor. Then none is left, and the codes must be removed too.
    const hasNone = !isLast && !(await this.#stored(accountId)).some(isSecond)
    if (hasNone) await source.remove(factor.accountId, [codes])
    this.#report('factor_removed', factor, request)
    return true
  }

  async reset(accountId: string, actorId: string | null = null, request?: FastifyRequest): Promise<number> {
    const stored = await this.#stored(accountId)
    const ids = stored.map(({ id }) => id)
    const removed = ids.length === 0 ? 0 : await this.context.source.remove(accountIdText(accountId), ids)
    const report = { type: 'factors_reset', accountId, removed, by: 'admin', actorId } as const
    this.context.app.audit.emit(report, request)
    return removed
  }

  /** Recovery codes come last. They may have the same time as the first factor, so their time does not sort them. */
  async #stored(accountId: string): Promise<readonly StoredFactor[]> {
    const stored = await this.context.source.list(accountIdText(accountId))
    return [...stored.filter(isSecond), ...stored.filter((factor) => !isSecond(factor))]
  }

  #report(
    type: 'factor_added' | 'factor_renamed' | 'factor_removed',
    { accountId, kind, id: factorId }: StoredFactor,
    request?: FastifyRequest,
  ): void {
    this.context.app.audit.emit({ type, accountId, kind, factorId }, request)
  }
}
