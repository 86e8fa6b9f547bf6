import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { createKeyRing } from '../../../../plugins/lib/credentials/keys.js'
import { ACCESS_TOKEN_MAX, AccessTokens } from '../../../../plugins/lib/token/access-token.js'
import { createTokenCodecs, sharedTokenKeys } from '../../../../plugins/lib/token/codecs.js'
import { forge, keyOf, parts } from '../../../helpers/forge.js'
import { ALICE, SECRET, START } from '../../../helpers/token-app.js'
import { signInRecord } from '../../../store-contract.js'

const RULES = { issuer: 'i', audience: 'a', accessTtl: 900, clockTolerance: 5 }
const ACCOUNT = { ...ALICE, epoch: 0 }
const RECORD = { ...signInRecord(), createdAt: START, absoluteExpiresAt: START + 3_600_000 }

async function tokens(t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  const keys = sharedTokenKeys(createKeyRing([SECRET]).purpose('access-token'))
  return new AccessTokens(await createTokenCodecs(app, keys), RULES)
}

t.test('opening a token gives back what it was issued with, expired or not', async (t) => {
  const access = await tokens(t)
  const { token, expiresIn } = access.issue(RECORD, ACCOUNT, { x: 1 }, START)
  t.equal(expiresIn, 900)
  for (const now of [START, START + 900_000, START + 1e12]) {
    t.match(access.open(token, now), { sub: ALICE.id, sid: RECORD.id, ext: { x: 1 } })
  }
})

t.test('two tokens of one instant differ', async (t) => {
  const access = await tokens(t)
  const issue = () => access.issue(RECORD, ACCOUNT, {}, START).token
  t.not(issue(), issue())
})

t.test('no text around a token, and no character in it, is forgiven', async (t) => {
  const access = await tokens(t)
  const { token } = access.issue(RECORD, ACCOUNT, {}, START)
  for (const odd of [' ', '\n', '\r', '\t', '\0', '=', '+', '/', '.', '\u200b', 'é', '😀']) {
    for (const index of [0, 1, token.indexOf('.'), token.indexOf('.') + 1, token.length - 1, token.length]) {
      t.equal(access.open(token.slice(0, index) + odd + token.slice(index), START), null)
    }
  }
  t.match(access.open(token, START), { sub: ALICE.id })
})

t.test('the cap on the length counts characters of the whole token', async (t) => {
  const access = await tokens(t)
  const { key } = keyOf(SECRET)
  const { header, payload } = parts(access.issue(RECORD, ACCOUNT, {}, START).token)
  const sized = (length: number) => forge(header, { ...payload, ext: { x: 'x'.repeat(length) } }, key)
  let longest = 2000
  while (sized(longest + 1).length <= ACCESS_TOKEN_MAX) longest++
  t.match(access.open(sized(longest), START), { sub: ALICE.id })
  t.equal(access.open(sized(longest + 1), START), null)
})

t.test('what would not fit is refused before it is issued', async (t) => {
  const access = await tokens(t)
  t.doesNotThrow(() => access.checkSize(ACCOUNT, { x: 'x'.repeat(1900) }))
  t.throws(() => access.checkSize(ACCOUNT, { x: 'x'.repeat(2000) }), { code: 'CLAIM_INVALID' })
  t.throws(() => access.checkSize(ACCOUNT, { x: '\u0000'.repeat(400) }), { code: 'CLAIM_INVALID' })
})

t.test('a clock that has lost the time makes nothing genuine', async (t) => {
  const access = await tokens(t)
  const { token } = access.issue(RECORD, ACCOUNT, {}, START)
  t.equal(access.open(token, Number.NaN), null)
})
