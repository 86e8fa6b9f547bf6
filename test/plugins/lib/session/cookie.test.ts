import t from 'tap'
import { newSessionId, sessionKeyOf } from '../../../../plugins/lib/session/cookie.js'

t.test('a session id is 256 bits, none of them fixed, and never the same twice', async (t) => {
  const ids = Array.from({ length: 1000 }, newSessionId)
  t.equal(new Set(ids).size, ids.length)
  const bytes = ids.map((id) => Buffer.from(id, 'base64url'))
  for (const each of bytes) t.equal(each.length, 32)
  for (let bit = 0; bit < 256; bit += 1) {
    const ones = bytes.filter((each) => ((each[bit >> 3] ?? 0) >> (bit & 7)) & 1).length
    // Eight standard deviations around the mean: a random bit is outside once in 10^15.
    t.ok(ones > 373 && ones < 627, `bit ${bit}: ${ones} of ${ids.length}`)
  }
})

t.test('where a session is stored tells nothing of its id', async (t) => {
  const id = newSessionId()
  t.match(sessionKeyOf(id), /^[\w-]{43}$/)
  t.equal(sessionKeyOf(id), sessionKeyOf(id))
  t.not(sessionKeyOf(id), id)
})
