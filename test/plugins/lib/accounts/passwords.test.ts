import { hash as realHash, verify as realVerify } from '@node-rs/argon2'
import t from 'tap'
import { type HashCost, hashCost } from '../../../../plugins/lib/accounts/password-hash.js'
import { type Argon2, createPasswords, passwords } from '../../../../plugins/lib/accounts/passwords.js'

const PARAMETERS = '$argon2id$v=19$m=19456,t=2,p=1$'

/** The real argon2, that remembers how much work it was asked for: passes times KiB. */
function countingPasswords(cost?: HashCost) {
  const verified: number[] = []
  const hashed: number[] = []
  const engine: Argon2 = {
    async hash(password, { memoryCost, timeCost, parallelism }) {
      hashed.push(memoryCost * timeCost)
      return realHash(password, { memoryCost, timeCost, parallelism })
    },
    async verify(hash, password) {
      const { memoryCost = 0, timeCost = 0 } = hashCost(hash) ?? {}
      verified.push(memoryCost * timeCost)
      return realVerify(hash, password)
    },
  }
  const work = () => [...verified, ...hashed].reduce((sum, each) => sum + each, 0)
  return { verified, hashed, work, passwords: createPasswords(async () => engine, cost) }
}

const FULL = 2 * 19456

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
  const withNul = await passwords.hash('before\0after')
  t.equal(await passwords.verify(withNul, 'before\0after'), true)
  t.equal(await passwords.verify(withNul, 'before\0other'), false, 'NUL ends nothing')
})

t.test('what is no well-formed text is nobody’s password', async (t) => {
  const hash = await passwords.hash('\ufffd-replaced')
  t.equal(await passwords.verify(hash, '\ud800-replaced'), false)
  await t.rejects(passwords.hash('\ud800-replaced'), { code: 'OPTION_INVALID' })
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
    ...[
      'm=4194304,t=2,p=1',
      'm=4294967295,t=2,p=1',
      'm=131073,t=1,p=1',
      'm=19456,t=4294967295,p=1',
      'm=131072,t=5,p=1',
      'm=19456,t=2,p=255',
      'm=19456,t=2,p=5',
      'm=8,t=1,p=2',
      'm=7,t=1,p=1',
      'm=0,t=2,p=1',
      'm=19456,t=0,p=1',
      'm=19456,t=2,p=0',
      'm=-1,t=2,p=1',
      'm=1e3,t=2,p=1',
      'm=,t=,p=',
      'm=99999999999,t=2,p=1',
      'm=019456,t=2,p=1',
      't=2,m=19456,p=1',
      'm=19456,t=2,p=1,keyid=x',
    ].map((parameters) => `$argon2id$v=19$${parameters}$${digest}`),
    `$argon2i$v=19$m=19456,t=2,p=1$${digest}`,
    `$argon2id$v=16$m=19456,t=2,p=1$${digest}`,
    '$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234',
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
    t.same(counted.verified, [FULL])
    t.same(counted.hashed, [])
  }
})

t.test('a weaker hash is good, costs as much in all, and is outdated', async (t) => {
  const weaker = [
    { memoryCost: 8192, timeCost: 1, parallelism: 1 },
    { memoryCost: 19456, timeCost: 1, parallelism: 2 },
    { memoryCost: 19455, timeCost: 2, parallelism: 1 },
  ]
  for (const cost of weaker) {
    const hash = await countingPasswords(cost).passwords.hash('correct horse')
    for (const [password, expected] of [
      ['correct horse', true],
      ['wrong horse', false],
    ] as const) {
      const counted = countingPasswords()
      t.equal(await counted.passwords.verify(hash, password), expected)
      t.ok(Math.abs(counted.work() - FULL) < 20, `${counted.work()} of ${FULL}`)
    }
    t.equal(passwords.isOutdated(hash), true)
  }
})

t.test('a stronger hash, of a version that was taken back, is good and stays', async (t) => {
  const hash = await countingPasswords({ memoryCost: 32768, timeCost: 2, parallelism: 1 }).passwords.hash(
    'correct horse',
  )
  t.equal(await passwords.verify(hash, 'correct horse'), true)
  t.equal(await passwords.verify(hash, 'wrong horse'), false)
  t.equal(passwords.isOutdated(hash), false)
  t.equal(passwords.isOutdated(await passwords.hash('correct horse')), false)
  t.equal(passwords.isOutdated('not a hash'), false, 'what is damaged is never made anew')
})

t.test('a stored hash that the hasher itself refuses is a wrong password, at the same cost', async (t) => {
  const hash = await passwords.hash('correct horse')
  const asked: string[] = []
  const engine: Argon2 = {
    hash: realHash,
    async verify(stored, password) {
      asked.push(stored)
      if (stored === hash) throw new Error('not for me')
      return realVerify(stored, password)
    },
  }
  const fussy = createPasswords(async () => engine)
  t.equal(await fussy.verify(hash, 'correct horse'), false)
  t.equal(asked.length, 2)
  t.match(hashCost(asked[1] ?? ''), { memoryCost: 19456, timeCost: 2 })
  const broken = createPasswords(async () => ({
    ...engine,
    verify: () => Promise.reject(new Error('out of memory')),
  }))
  await t.rejects(
    broken.verify(hash, 'correct horse'),
    /out of memory/,
    'one that can do nothing is not hidden',
  )
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

t.test('how many run at once is an option, and so many times sixteen wait', async (t) => {
  for (const atOnce of [1, 5]) {
    const open: (() => void)[] = []
    const engine: Argon2 = {
      hash: (password) => new Promise((resolve) => open.push(() => resolve(password))),
      verify: async () => false,
    }
    const limited = createPasswords(async () => engine, undefined, atOnce)
    const settled = Promise.allSettled(Array.from({ length: 100 }, (_, index) => limited.hash(`${index}`)))
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(open.length, atOnce)
    while (open.length > 0) {
      open.shift()?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    const served = (await settled).filter(({ status }) => status === 'fulfilled')
    t.equal(served.length, 17 * atOnce)
  }
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

t.test('a hasher that throws at once gives its place back as well', async (t) => {
  let broken = true
  const engine: Argon2 = {
    hash(password) {
      if (broken) throw new TypeError('not for me')
      return Promise.resolve(password)
    },
    verify: async () => false,
  }
  const limited = createPasswords(async () => engine)
  for (let times = 0; times < 100; times++) await t.rejects(limited.hash('x'), /not for me/)
  broken = false
  t.equal(await limited.hash('served'), 'served')
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
