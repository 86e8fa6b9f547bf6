import t from 'tap'
import { parseContent } from '../../../../plugins/lib/session/content.js'

const signIn = {
  sid: 's-1',
  sub: 'a-1',
  username: 'alice',
  role: 'admin',
  epoch: 0,
  gen: 1,
  auth_time: 1,
  remember: false,
  claims: {},
}

t.test('only content of the known form is read', async (t) => {
  const good = { signIn, data: { 'a\nb': 1 } }
  t.strictSame(parseContent(JSON.stringify(good)), good)
  t.strictSame(parseContent('{"signIn":null,"data":{}}'), { signIn: null, data: {} })
  const bad = [
    null,
    [],
    {},
    { signIn: null },
    { signIn: null, data: [] },
    { signIn: null, data: null },
    { signIn: null, data: {}, more: 1 },
    { signIn: {}, data: {} },
    { signIn: { ...signIn, epoch: '0' }, data: {} },
    { signIn: { ...signIn, auth_time: 1.5 }, data: {} },
    { signIn: { ...signIn, sub: '' }, data: {} },
    { signIn: { ...signIn, remember: 1 }, data: {} },
    { signIn: { ...signIn, claims: [] }, data: {} },
    { signIn: { ...signIn, more: 1 }, data: {} },
  ]
  for (const value of bad) t.equal(parseContent(JSON.stringify(value)), null, JSON.stringify(value))
})
