import { call, signed } from '../lib/api.js'
import { doing } from '../lib/asking.js'
import { client } from '../lib/client.js'
import { anything } from '../lib/decode.js'
import { h } from '../lib/dom.js'
import { factors } from '../lib/factor-answers.js'
import { language } from '../lib/language.js'
import { focusOn } from '../lib/painting.js'
import { cleared, complain } from '../lib/say.js'
import { onChange, state, update } from '../lib/store.js'
import { button } from '../views/parts.js'
import { type Given, inOrder, type ProofKind, proofView } from './proof-form.js'
import { factorTexts } from './text.js'

/* The step-up dialog: asks for a proof when an action needs a recent one or a second factor. */

const PLACE = 'step-up'

/** The kinds of proof that the caller can give. */
async function kindsOf(): Promise<readonly ProofKind[]> {
  const found = await call('GET', '/factors', factors)
  return inOrder(['password', ...(found.ok ? found.data.map(({ kind }) => kind) : [])])
}

/** The kinds already given for this action. */
let given: ProofKind[] = []

/** The first kind that was not given yet. */
const firstOf = (kinds: readonly ProofKind[]): ProofKind =>
  kinds.find((kind) => !given.includes(kind)) ?? 'password'

/** A dialog that paints itself while it is open. */
function openDialog(kinds: readonly ProofKind[], isMore: boolean): Promise<boolean> {
  const dialog = h('dialog', { class: 'panel', 'aria-labelledby': 'step-up-title' })
  let chosen = firstOf(kinds)
  let isProved = false
  return new Promise((resolve) => {
    const close = () => {
      stop()
      dialog.remove()
      resolve(isProved)
    }
    const give = async (proof: Given) => {
      const headers = { 'accept-language': language() }
      const outcome = await signed(client().prove(proof, { headers }))
      if (!outcome.ok) return complain(PLACE, outcome.failure)
      given = [...given, chosen]
      isProved = true
    }
    const paint = () => {
      const words = factorTexts().stepUp
      dialog.replaceChildren(
        h('h2', { id: 'step-up-title', tabindex: -1 }, words.title),
        h('p', { class: 'lead' }, isMore ? words.more : words.lead),
        proofView({
          place: PLACE,
          kinds,
          chosen,
          choose(kind) {
            chosen = kind
            update(cleared(PLACE))
          },
          options: () => call('POST', '/passkeys/challenge', anything, {}),
          async doing(action) {
            await doing(PLACE, action)
            // The waiting action continues after this one has finished.
            if (isProved) close()
          },
          give,
        }),
        button('cancel-step-up', words.cancel, close, { class: 'small quiet' }),
      )
    }
    const stop = onChange(paint)
    dialog.addEventListener('cancel', close)
    document.body.append(dialog)
    paint()
    dialog.showModal()
    focusOn(chosen === 'passkey' ? 'give-passkey' : 'proof')
  })
}

/**
 * Asks the user for a proof, while the action that needs it waits.
 * @param isMore whether the user has given one proof and the action needs another
 * @returns whether the sign-in is stronger now
 */
export async function askForProof(isMore: boolean): Promise<boolean> {
  const { busy } = state()
  if (!isMore) given = []
  const kinds = await kindsOf()
  const focused = document.activeElement?.id ?? ''
  update({ busy: false, ...cleared(PLACE) })
  const isProved = await openDialog(kinds, isMore)
  update({ busy, ...cleared(PLACE) })
  focusOn(focused)
  return isProved
}
