import t from 'tap'
import type { Exchange } from '../../../routes/lab/exchange.js'
import { answersOf, IN, type Ran, runAll } from './outcomes.js'

const runs = runAll()

const said = ({ asked }: Exchange) => asked.map(({ of, what }) => `${of}: ${what.en}`).join('\n')

/** All exchanges that ended with this answer, and what was asked in them. */
function endedWith(all: readonly Ran[], answer: string) {
  return all.flatMap(({ name, outcome }) => {
    const answers = answersOf(outcome)
    return outcome.exchanges
      .filter((_exchange, index) => answers[index] === answer)
      .map((exchange) => ({ name: `${name}: ${exchange.title.en}`, asked: said(exchange) }))
  })
}

const LOGIN = /Stored the record of the new sign-in/

t.test('the steps say how a server knew that a sign-in is live', async (t) => {
  for (const answer of [IN.cookie, IN.session, IN.token]) {
    const seen = endedWith(await runs, answer).filter(({ asked }) => !LOGIN.test(asked))
    t.ok(seen.length > 0, answer)
    for (const { name, asked } of seen) {
      const isSignOut = /Added the (sign-in|account)/.test(asked)
      t.match(asked, isSignOut ? /^store/ : /^memory: (Looked in the list|Knew the sign-in)/m, name)
    }
  }
})

t.test('the steps say where a session or an API key was found', async (t) => {
  const found = {
    [IN.session]: /(Found|Looked up) the session/,
    '200 api_key': /Found the API key in its memory/,
  }
  for (const [answer, place] of Object.entries(found)) {
    const seen = endedWith(await runs, answer).filter(
      ({ asked }) => !/Stored a new session|Added the/.test(asked),
    )
    t.ok(seen.length > 0, answer)
    for (const { name, asked } of seen) t.match(asked, place, name)
  }
})

t.test(
  'a refusal that needs no lookup has none, except for a session that is known to be gone',
  async (t) => {
    for (const answer of ['403 NOT_SIGNED_IN', '403 CREDENTIAL_INVALID', '403 TOKEN_INVALID'])
      for (const { name, asked } of endedWith(await runs, answer)) t.equal(asked, '', name)
    for (const { name, asked } of endedWith(await runs, '403 SIGNED_OUT')) t.not(asked, '', name)
  },
)
