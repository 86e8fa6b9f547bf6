import t from 'tap'
import type { Account } from '../../../../plugins/lib/contract.js'
import { checkAccount } from '../../../../plugins/lib/identity/account-check.js'

const ACCOUNT = { id: '1', username: 'Zoë', role: 'user' }

t.test('an account without an epoch has epoch 0', async (t) => {
  t.same(checkAccount(ACCOUNT), { ...ACCOUNT, epoch: 0 })
  t.same(checkAccount({ ...ACCOUNT, epoch: undefined }), { ...ACCOUNT, epoch: 0 })
  t.same(checkAccount({ ...ACCOUNT, epoch: 7 }), { ...ACCOUNT, epoch: 7 })
})

t.test('nothing of an application’s row travels on but the fields of an account', async (t) => {
  const row = { ...ACCOUNT, epoch: 3, password_hash: '$argon2id$…', phone: '1' }
  const checked = checkAccount(row)
  t.same(Object.keys(checked), ['id', 'username', 'role', 'epoch'])
  t.ok(Object.isFrozen(checked))
  row.role = 'admin'
  t.equal(checked.role, 'user', 'it is a copy')
})

t.test('fields of up to 256 characters are taken', async (t) => {
  const long = 'x'.repeat(256)
  t.equal(checkAccount({ id: long, username: long, role: long }).id, long)
})

t.test('an account that is none is refused, and not quoted', async (t) => {
  for (const account of [null, undefined, 1, 'admin', [], {}]) {
    t.throws(() => checkAccount(account as unknown as Account), { code: 'OPTION_INVALID' }, String(account))
  }
  for (const field of ['id', 'username', 'role']) {
    for (const value of [undefined, null, '', 1.5, {}, ['1'], true, `hunter2${'x'.repeat(250)}`]) {
      const bad: unknown = { ...ACCOUNT, [field]: value }
      const error = t.throws(
        () => checkAccount(bad as Account),
        { code: 'OPTION_INVALID' },
        `${field}: ${value}`,
      )
      t.notMatch(String(error), 'hunter2')
    }
  }
})

t.test('an epoch that cannot be compared is refused', async (t) => {
  for (const epoch of [-1, 0.5, NaN, Infinity, 2 ** 53, '1', null, 1n, {}]) {
    const bad: unknown = { ...ACCOUNT, epoch }
    t.throws(
      () => checkAccount(bad as Account),
      { code: 'OPTION_INVALID', message: /account\.epoch/ },
      String(epoch),
    )
  }
})

t.test('ids that a store would merge are refused', async (t) => {
  for (const id of ['\ud800', 'a\udfffb']) {
    t.throws(() => checkAccount({ id, username: 'x', role: 'user' }), { code: 'OPTION_INVALID' })
  }
  t.equal(checkAccount({ id: '😀', username: 'x', role: 'user' }).id, '😀')
})
