import type { FastifyInstance } from 'fastify'
import type { AuthMode, ModeName } from '../contract.js'
import { ModeUnknown, OptionInvalid } from '../errors.js'

/** The registered modes, in the order of registration. */
export interface ModeRegistry {
  /** @throws OPTION_INVALID when the mode is incomplete, its name is taken, or the application has started */
  add(mode: AuthMode): void
  /** @throws MODE_UNKNOWN */
  get<N extends ModeName>(name: N): AuthMode<N>
  readonly names: readonly ModeName[]
}

const METHODS = ['resolve', 'issue', 'signOut', 'clear'] as const

/** No member may be missing: a mode without `ambient` would skip the same-origin check. */
function checkMode(mode: AuthMode): void {
  const name: unknown = mode.name
  if (typeof name !== 'string' || name === '') throw new OptionInvalid('mode', 'wants a name')
  if (typeof mode.ambient !== 'boolean') throw new OptionInvalid('mode', 'wants ambient to be true or false')
  for (const method of METHODS) {
    if (typeof mode[method] !== 'function') throw new OptionInvalid('mode', `wants the function ${method}`)
  }
}

/** Returns the form of a mode that a guard asks. A mode may have a simpler one if no other asked mode uses its scheme. */
function asAsked(mode: AuthMode, asked: readonly AuthMode[]): AuthMode {
  const isAlone = !asked.some((other) => other !== mode && other.scheme === mode.scheme)
  return isAlone ? (mode.alone ?? mode) : mode
}

const asIs = (mode: AuthMode) => mode

/** A registry that closes when the application starts: guards would not ask later modes. */
export function createModeRegistry(app: FastifyInstance) {
  const modes = new Map<string, AuthMode>()
  let started = false
  const meter = app.hasDecorator('identityMetrics') ? app.identityMetrics.meters.mode : asIs
  app.addHook('onReady', async function closeModeRegistry() {
    started = true
  })
  const find = (name: string): AuthMode => {
    const mode = modes.get(name)
    if (!mode) throw new ModeUnknown(name)
    return mode
  }
  const registry: ModeRegistry = {
    add(mode) {
      checkMode(mode)
      if (started) throw new OptionInvalid('mode', 'must be added before the application starts')
      if (modes.has(mode.name)) throw new OptionInvalid('mode', `${mode.name} is registered twice`)
      modes.set(mode.name, meter(mode))
    },
    get: <N extends ModeName>(name: N) => find(name) as AuthMode<N>,
    get names() {
      return [...modes.values()].map(({ name }) => name)
    },
  }
  const selectModes = (names?: readonly ModeName[]): readonly AuthMode[] => {
    for (const name of names ?? []) find(name)
    const selected = [...modes.values()].filter(({ name }) => names?.includes(name) ?? true)
    if (selected.length === 0) throw new OptionInvalid('guard', 'has no registered mode to ask')
    return selected.map((mode) => asAsked(mode, selected))
  }
  return { registry, selectModes }
}
