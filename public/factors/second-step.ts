import { finishSignIn } from '../lib/actions.js'
import { call, signed } from '../lib/api.js'
import { doing } from '../lib/asking.js'
import { client } from '../lib/client.js'
import { anything } from '../lib/decode.js'
import { type Child, h } from '../lib/dom.js'
import { asked, type SecondStep } from '../lib/factor-answers.js'
import { language } from '../lib/language.js'
import { focusOn } from '../lib/painting.js'
import { cleared, complain, tell } from '../lib/say.js'
import { state, update } from '../lib/store.js'
import { button } from '../views/parts.js'
import { type Given, inOrder, type ProofKind, proofView } from './proof-form.js'
import { factorTexts } from './text.js'

const PLACE = 'second-step'
/** The server refuses more wrong proofs than this after one password. */
const MOST_REFUSED = 5
const SECONDS = 300

let timer: ReturnType<typeof setTimeout> | undefined

/** Goes back to the sign-in form. It keeps the username. */
function endStep(words: string): void {
  const username = state().second?.username ?? ''
  clearTimeout(timer)
  update({ second: null, triedName: username, ...cleared(PLACE) })
  if (words !== '') tell('sign-in', words)
  focusOn('password')
}

/** Asks for the second factor. @param data of the answer `SECOND_FACTOR_REQUIRED` */
export function beginSecondStep(username: string, data: unknown): void {
  const { pending, factors, expires_in } = asked(data)
  const kinds = inOrder(factors)
  const [first] = kinds
  if (pending === null || !first) return
  const seconds = expires_in ?? SECONDS
  clearTimeout(timer)
  timer = setTimeout(() => state().second && endStep(factorTexts().second.expired), seconds * 1000)
  update({
    second: { username, pending, kinds, chosen: first, endsAt: Date.now() + seconds * 1000, refused: 0 },
  })
  focusOn(first === 'passkey' ? 'give-passkey' : 'proof')
}

/** @returns whether the server accepts no more proofs */
function countRefused(second: SecondStep): boolean {
  const refused = second.refused + 1
  update({ second: { ...second, refused } })
  return refused >= MOST_REFUSED
}

async function give(second: SecondStep, given: Given): Promise<void> {
  const { chosen } = state()
  const headers = { 'accept-language': language() }
  const outcome = await signed(client().prove({ ...given, pending: second.pending }, { headers }))
  if (outcome.ok) {
    clearTimeout(timer)
    update({ second: null })
    return finishSignIn(outcome.data, chosen)
  }
  if (outcome.failure.code === 'FACTOR_REFUSED' && countRefused(second)) {
    return endStep(factorTexts().second.tooMany)
  }
  complain(PLACE, outcome.failure)
}

/** Replaces the sign-in form. */
export function secondStepView(second: SecondStep): Child {
  const words = factorTexts().second
  const { pending, kinds, chosen, endsAt } = second
  const choose = (kind: ProofKind) => {
    update({ second: { ...second, chosen: kind }, ...cleared(PLACE) })
  }
  return [
    h('h1', { id: 'title', tabindex: -1 }, words.title),
    h('p', { class: 'lead' }, words.lead),
    h(
      'section',
      { class: 'panel', id: 'second-step', 'aria-labelledby': 'title' },
      proofView({
        place: PLACE,
        kinds,
        chosen,
        choose,
        options: () => call('POST', '/passkeys/challenge', anything, { pending }),
        doing: (action) => doing(PLACE, action),
        give: (given) => give(state().second ?? second, given),
      }),
      h('p', { class: 'fine' }, words.left, h('span', { 'data-left': endsAt })),
      button('cancel-second', words.cancel, () => endStep(''), { class: 'small quiet' }),
    ),
  ]
}
