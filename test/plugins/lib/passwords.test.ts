import { hash as realHash, verify as realVerify } from '@node-rs/argon2'
import t from 'tap'
import { type Argon2, createPasswords, passwordFault, passwords } from '../../../plugins/lib/passwords.js'

const PARAMETERS = '$argon2id$v=19$m=19456,t=2,p=1$'

/** The real argon2, that remembers which parameters it worked with. */
function countingPasswords() {
  const verified: string[] = []
  const hashed: string[] = []
  const engine: Argon2 = {
    async hash(password, parameters) {
      const hash = await realHash(password, parameters)
      hashed.push(hash.slice(0, PARAMETERS.length))
      return hash
    },
    async verify(hash, password) {
      verified.push(hash.slice(0, PARAMETERS.length))
      return realVerify(hash, password)
    },
  }
  return { verified, hashed, passwords: createPasswords(async () => engine) }
}

t.test('a hash is argon2id with m=19456, t=2, p=1, and salted', async (t) => {
  const first = await passwords.hash('correct horse')
  const second = await passwords.hash('correct horse')
  t.ok(first.startsWith(PARAMETERS))
  t.not(first, second)
  t.equal(await passwords.verify(first, 'correct horse'), true)
  t.equal(await passwords.verify(first, 'correct horse '), false)
})

t.test('a password is neither trimmed nor normalised', async (t) => {
  const hash = await passwords.hash(' Zoe\u0308\n')
  t.equal(await passwords.verify(hash, ' Zoe\u0308\n'), true)
  for (const other of ['Zoe\u0308', ' Zo\u00eb\n', ' zoe\u0308\n', ' Zoe\u0308']) {
    t.equal(await passwords.verify(hash, other), false)
  }
})

t.test('right, wrong, unknown and damaged each cost one hash of the same parameters', async (t) => {
  const hash = await passwords.hash('correct horse')
  const digest = hash.slice(PARAMETERS.length)
  const damaged = [
    '',
    'not a hash',
    hash.slice(0, -1),
    `${hash}A`,
    `${hash.slice(0, -1)}B`,
    `$argon2id$v=19$m=8,t=1,p=1$${digest}`,
    `$argon2id$v=19$m=4294967295,t=2,p=1$${digest}`,
    `$argon2i$v=19$m=19456,t=2,p=1$${digest}`,
    hash.replace(/\$/g, '!'),
  ]
  const cases: [string | null, string, boolean][] = [
    [hash, 'correct horse', true],
    [hash, 'wrong horse', false],
    [null, 'correct horse', false],
    ...damaged.map((text): [string, string, boolean] => [text, 'correct horse', false]),
  ]
  for (const [stored, password, expected] of cases) {
    const counted = countingPasswords()
    t.equal(await counted.passwords.verify(stored, password), expected, `${stored}`)
    t.same(counted.verified, [PARAMETERS])
    t.same(counted.hashed, [])
  }
})

t.test('a password above 1024 bytes is never hashed', async (t) => {
  const counted = countingPasswords()
  const longest = 'é'.repeat(512)
  const hash = await counted.passwords.hash(longest)
  t.equal(await counted.passwords.verify(hash, longest), true)
  await t.rejects(counted.passwords.hash(`${longest}a`), { code: 'PASSWORD_REFUSED', statusCode: 422 })
  t.equal(await counted.passwords.verify(hash, `${longest}a`), false)
  t.equal(await counted.passwords.verify(null, `${longest}a`), false)
  t.equal(counted.hashed.length, 1)
  t.equal(counted.verified.length, 1)
})

t.test('at most three hashes run at once, and those that wait are served in order', async (t) => {
  let running = 0
  let most = 0
  const order: string[] = []
  const engine: Argon2 = {
    async hash(password) {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
      order.push(password)
      if (password === '3') throw new Error('out of memory')
      return password
    },
    verify: async () => false,
  }
  const limited = createPasswords(async () => engine)
  const asked = Array.from({ length: 12 }, (_, index) => `${index}`)
  const results = await Promise.allSettled(asked.map((password) => limited.hash(password)))
  t.ok(most >= 1 && most <= 3, `${most} at once`)
  t.same(order, asked)
  t.same(
    results.map(({ status }) => status),
    asked.map((password) => (password === '3' ? 'rejected' : 'fulfilled')),
    'one that fails gives its place back',
  )
})

t.test('a chosen password has 8 characters or more, and 1024 bytes or fewer', async (t) => {
  t.equal(passwordFault('1234567'), 'too_short')
  t.equal(passwordFault('😀😀😀😀😀😀😀'), 'too_short', 'code points are counted, not UTF-16 units')
  t.equal(passwordFault('12345678'), null)
  t.equal(passwordFault('a'.repeat(1024)), null)
  t.equal(passwordFault('a'.repeat(1025)), 'too_long')
})

t.test('beyond a short queue hashes are shed at once, and the queue drains', async (t) => {
  const open: (() => void)[] = []
  const engine: Argon2 = {
    hash: (password) => new Promise((resolve) => open.push(() => resolve(password))),
    verify: async () => false,
  }
  const limited = createPasswords(async () => engine)
  const asked = Array.from({ length: 500 }, (_, index) => limited.hash(`${index}`))
  const settled = Promise.allSettled(asked)
  const first = await Promise.race(asked.map((hash) => hash.catch((error: unknown) => error)))
  t.match(first, { code: 'BUSY', statusCode: 503, headers: { 'retry-after': /^\d+$/ } })
  while (open.length > 0) {
    open.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const served = (await settled).filter(({ status }) => status === 'fulfilled').length
  t.ok(served >= 17 && served <= 51, `${served} of 500 were let in`)
  const later = limited.hash('later')
  await new Promise((resolve) => setImmediate(resolve))
  open.shift()?.()
  t.equal(await later, 'later', 'nobody is kept out afterwards')
})
