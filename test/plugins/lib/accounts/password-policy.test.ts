import t, { type Test } from 'tap'
import { createPasswordPolicy, type PasswordFault } from '../../../../plugins/lib/accounts/password-policy.js'

const policy = createPasswordPolicy()

type Row = [password: string, username: string, fault: PasswordFault | null]

async function check(t: Test, rows: Row[], { fault } = policy) {
  for (const [password, username, expected] of rows) {
    t.equal(await fault(password, username), expected, `${username}: ${password.slice(0, 40)}`)
  }
}

t.test('8 characters to 1024 bytes, whatever they are', async (t) => {
  await check(t, [
    ['', 'bob', 'too_short'],
    ['f7#kQ2x', 'bob', 'too_short'],
    ['😀😀😀😀😀😀😀', 'bob', 'too_short'],
    ['f7#kQ2xz', 'bob', null],
    ['😀😃😄😁😆😅🤣😂', 'bob', null],
    ['       \0', 'bob', null],
    ['\n\n\n\n\n\n\n\n', 'bob', null],
    ['漢字仮名交文章例', 'bob', null],
    [`${'😀'.repeat(127)}x`, 'bob', null],
    ['x'.repeat(1024), 'bob', null],
    ['x'.repeat(1025), 'bob', 'too_long'],
    ['漢'.repeat(342), 'bob', 'too_long'],
    ['bob'.repeat(400), 'bob', 'too_long'],
  ])
})

t.test('none of the most common ones, in whatever case or width', async (t) => {
  await check(t, [
    ['password', 'bob', 'common'],
    ['PassWord', 'bob', 'common'],
    ['ｐａｓｓｗｏｒｄ', 'bob', 'common'],
    ['12345678', 'bob', 'common'],
    ['qwertyuiop', 'bob', 'common'],
    ['iloveyou', 'bob', 'common'],
    ['trustno1', 'bob', 'common'],
    ['password ', 'bob', null],
    ['correct horse', 'bob', null],
    ['password\n12345678', 'bob', null],
    ['constructor', 'bob', null],
    ['__proto__', 'bob', null],
  ])
})

t.test('not with the username in it, unless that is in many by chance', async (t) => {
  await check(t, [
    ['alice-2030!', 'alice', 'like_username'],
    ['my ALICE pw', 'Alice', 'like_username'],
    ['xxZOE\u0308xx-long', 'zoë', 'like_username'],
    ['ａｌｉｃｅ-2030', 'alice', 'like_username'],
    ['x-bob-x-x', 'bob', 'like_username'],
    ['νικοσλαος1', 'ΝΙΚΟΣ', 'like_username'],
    ['johnsmith99', 'John Smith', null],
    ['ecila-2030!', 'alice', null],
    ['a-long-password', 'a', null],
    ['al-long-password', 'al', null],
    ['王伟的密码很长很长', '王伟', null],
    ['password', 'password', 'like_username'],
  ])
})

t.test('none of the operator’s words in it', async (t) => {
  const words = ['Acme', 'Blue Whale']
  const own = createPasswordPolicy(words)
  words.push('horse')
  await check(
    t,
    [
      ['i-love-ACME!', 'bob', 'common'],
      ['blue whale 7', 'bob', 'common'],
      ['ａｃｍｅ-2030', 'bob', 'common'],
      ['bluewhale 77', 'bob', null],
      ['correct horse', 'bob', null],
      ['password', 'bob', 'common'],
    ],
    own,
  )
  await t.rejects(own.check('i-love-acme!', 'bob'), {
    code: 'PASSWORD_REFUSED',
    statusCode: 422,
    reason: 'common',
  })
  await t.resolves(own.check('correct horse', 'bob'))
})

t.test('a word that is too short, or is none, is a refusal at boot', async (t) => {
  for (const words of [['ab'], ['acme', ''], ['ﬀ'], [7], 'acme', null, { 0: 'acme' }]) {
    const create = () => createPasswordPolicy(words as string[])
    t.throws(create, { code: 'OPTION_INVALID', message: /passwordWords/ }, JSON.stringify(words))
  }
})
