import { join } from 'node:path'
import t from 'tap'
import { createCommonPasswords, isCommonPassword } from '../../../../plugins/lib/accounts/common-passwords.js'
import { DependencyMissing } from '../../../../plugins/lib/errors.js'

t.test('the list is long, and each of its words is found alone', async (t) => {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  const words = dictionary['passwords-common'].filter((word) => word.length >= 8)
  t.ok(words.length >= 10_000, `${words.length} words`)
  for (const word of [words.at(0), words.at(1000), words.at(-1)]) t.ok(await isCommonPassword(`${word}`))
  for (const text of [words.slice(0, 2).join('\n'), `${words[0]}x`, 'passwor', '', '\n', 'zoë-zoë-zoë'])
    t.notOk(await isCommonPassword(text), text)
})

t.test('it is read once, when it is first asked for, and again where that failed', async (t) => {
  const file = join(t.testdir({ 'words.json': '["short","longer than 8"]' }), 'words.json')
  let asked = 0
  const isCommon = createCommonPasswords(async () => {
    asked += 1
    if (asked === 1) throw new DependencyMissing('Choosing a password', 'the-list', 'the-list')
    return file
  })
  t.equal(asked, 0)
  await t.rejects(isCommon('longer than 8'), { code: 'DEPENDENCY_MISSING' })
  t.same(await Promise.all(['longer than 8', 'short'].map(isCommon)), [true, false])
  t.equal(await isCommon('longer than 8'), true)
  t.equal(asked, 2)
})
