import type { FactorProof } from 'fastify-identity/client'
import type { Outcome } from '../lib/api.js'
import { type Child, h } from '../lib/dom.js'
import type { ProofKind } from '../lib/factor-answers.js'
import { focusOn } from '../lib/painting.js'
import { addAdvice, complain } from '../lib/say.js'
import type { Place } from '../lib/store.js'
import { button, faulty, field, form, isComplete, outcome, typed } from '../views/parts.js'
import { factorTexts } from './text.js'
import { passkeyFailure, usePasskey } from './webauthn.js'

addAdvice(() => factorTexts().advice)

export type { ProofKind }
export type Given = FactorProof | { readonly password: string }

/** A passkey comes first, because it counts as two factors. */
const ORDER = ['passkey', 'password', 'totp', 'recovery_code'] as const

/** The kinds in the order in which they are offered, each once. */
export const inOrder = (kinds: readonly ProofKind[]): readonly ProofKind[] =>
  ORDER.filter((kind) => kinds.includes(kind))

/** A form in which somebody proves who they are. */
export interface ProofForm {
  readonly place: Place
  readonly kinds: readonly ProofKind[]
  readonly chosen: ProofKind
  readonly choose: (kind: ProofKind) => void
  /** Gets the options for a passkey. */
  readonly options: () => Promise<Outcome<unknown>>
  /** Runs an action, unless another one runs. */
  readonly doing: (action: () => Promise<void>) => Promise<void>
  readonly give: (given: Given) => Promise<void>
}

/** Apps show a code in groups, and users may type the spaces. */
const codeOf = (kind: ProofKind) =>
  kind === 'totp' ? typed('proof').replaceAll(/\s/g, '') : typed('proof').trim()

function giveTyped({ place, chosen, doing, give }: ProofForm): unknown {
  if (chosen === 'passkey' || !isComplete(place, 'proof')) return
  return doing(() =>
    give(chosen === 'password' ? { password: typed('proof') } : { factor: chosen, code: codeOf(chosen) }),
  )
}

const givePasskey = ({ place, doing, options, give }: ProofForm) =>
  doing(async () => {
    const asked = await options()
    if (!asked.ok) return complain(place, asked.failure)
    const response = await usePasskey(asked.data).catch((error: unknown) => {
      complain(place, passkeyFailure(error))
    })
    if (response) await give({ factor: 'passkey', response })
  })

const ATTRIBUTES = {
  totp: { inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 12 },
  recovery_code: { autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', maxlength: 64 },
  password: { type: 'password', autocomplete: 'current-password' },
} as const

function input({ place, chosen }: ProofForm): Child {
  if (chosen === 'passkey') return null
  const { label, hint } = factorTexts().proof[chosen]
  const invalid = faulty(place, 'proof', ['FACTOR_REFUSED', 'CREDENTIALS_REFUSED'])
  return field('proof', label, { ...ATTRIBUTES[chosen], required: true, ...invalid }, hint)
}

function choose({ choose }: ProofForm, kind: ProofKind): void {
  choose(kind)
  focusOn(kind === 'passkey' ? 'give-passkey' : 'proof')
}

/** The form for the chosen kind of proof, and buttons for the others. */
export function proofView(given: ProofForm): HTMLElement {
  const words = factorTexts().proof
  const others = given.kinds.filter((kind) => kind !== given.chosen)
  return form(
    'proof-form',
    () => giveTyped(given),
    input(given),
    outcome(given.place),
    given.chosen === 'passkey'
      ? button('give-passkey', words.passkey, () => givePasskey(given), { class: 'primary' })
      : button('give-proof', words.submit, null, { class: 'primary' }),
    others.length > 0 &&
      h(
        'div',
        { class: 'row' },
        ...others.map((kind) =>
          button(`prove-${kind}`, words.other[kind], () => choose(given, kind), { class: 'small quiet' }),
        ),
      ),
  )
}
