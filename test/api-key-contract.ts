import type { Test } from 'tap'
import type { ApiKeySource, StoredApiKey } from '../plugins/lib/api-key/contract.js'
import { START } from './helpers/clock.js'

export interface KeysUnderTest {
  readonly source: ApiKeySource
  /** Adds an account. @returns its id */
  addAccount(username: string): Promise<string>
  /** Raises the account's epoch by one. @returns the new one */
  raiseEpoch(accountId: string): Promise<number>
  setDisabled(accountId: string, disabled: boolean): Promise<unknown>
}

const HOUR = 3_600_000
const CAP = 3

/** What every place for API keys must do. */
export function testApiKeyContract(t: Test, open: (t: Test) => Promise<KeysUnderTest>): void {
  async function setUp(t: Test) {
    const keys = await open(t)
    const accountId = await keys.addAccount('alice')
    const { account } = (await keys.source.find('none')) ?? { account: null }
    t.equal(account, null)
    let made = 0
    const make = (more: Partial<StoredApiKey> = {}): StoredApiKey => ({
      id: `key${++made}`.padEnd(16, 'x'),
      accountId,
      name: 'deploy, «日本»',
      scopes: ['read', 'write'],
      claims: { team: { id: 7 } },
      hash: 'a'.repeat(43),
      epoch: 1,
      createdAt: START,
      lastUsedAt: null,
      expiresAt: START + HOUR,
      endedAt: null,
      ip: '203.0.113.7',
      userAgent: 'curl/8',
      ...more,
    })
    const add = async (more: Partial<StoredApiKey> = {}) => {
      const key = make(more)
      if (!(await keys.source.insert(key, CAP))) throw new Error('the cap is reached')
      return key
    }
    const ids = async (now = START) => (await keys.source.list(accountId, now)).map(({ id }) => id)
    return { ...keys, accountId, make, add, ids }
  }

  t.test('a key is found as it was stored, with its account as it is now', async (t) => {
    const { source, add, accountId, raiseEpoch } = await setUp(t)
    const key = await add()
    const found = await source.find(key.id)
    t.same(found?.key, key)
    t.match(found?.account, { id: accountId, username: 'alice', role: 'user', epoch: 1 })
    t.ok(Object.isFrozen(found?.key))
    await raiseEpoch(accountId)
    t.match((await source.find(key.id))?.account, { epoch: 2 })
    const bare = await add({ epoch: 2, scopes: [], claims: {}, name: '' })
    t.same((await source.find(bare.id))?.key, bare)
  })

  t.test('an unknown id is null, whatever is in it', async (t) => {
    const { source } = await setUp(t)
    for (const id of ['0'.repeat(16), '', "' OR 1=1 --", 'a\0b', '%', '__proto__'])
      t.equal(await source.find(id), null)
  })

  t.test('a key of a disabled account has no account', async (t) => {
    const { source, add, accountId, setDisabled, ids } = await setUp(t)
    const key = await add()
    await setDisabled(accountId, true)
    t.equal((await source.find(key.id))?.account, null)
    t.same(await ids(), [])
  })

  t.test('the live ones are listed, newest first, and nobody else’s', async (t) => {
    const { source, add, addAccount, ids } = await setUp(t)
    const old = await add()
    const young = await add({ createdAt: START + 1 })
    const bob = await addAccount('bob')
    const his = await add({ accountId: bob })
    t.same(await ids(), [young.id, old.id])
    t.same(
      (await source.list(bob, START)).map(({ id }) => id),
      [his.id],
    )
    t.same(await source.list('nobody', START), [])
  })

  t.test('an ended key stays known, and is listed no more', async (t) => {
    const { source, add, ids } = await setUp(t)
    const [one, other] = [await add(), await add()]
    await source.end([one.id], START + 5)
    t.same(await ids(), [other.id])
    t.match((await source.find(one.id))?.key, { endedAt: START + 5 })
    await source.end([one.id, 'unknown'], START + 9)
    t.match((await source.find(one.id))?.key, { endedAt: START + 5 }, 'the first end counts')
    await source.end([], START)
    t.same(await ids(), [other.id])
  })

  t.test('an expired key stays known, and is listed no more', async (t) => {
    const { source, add, ids } = await setUp(t)
    const key = await add()
    t.same(await ids(key.expiresAt - 1), [key.id])
    t.same(await ids(key.expiresAt), [])
    t.ok(await source.find(key.id))
  })

  t.test('a key from before a raised epoch is listed no more', async (t) => {
    const { add, accountId, raiseEpoch, ids } = await setUp(t)
    await add()
    const epoch = await raiseEpoch(accountId)
    t.same(await ids(), [])
    const key = await add({ epoch })
    t.same(await ids(), [key.id])
  })

  t.test('the cap counts live keys of that account only', async (t) => {
    const { source, add, make, accountId, addAccount, raiseEpoch, ids } = await setUp(t)
    const [first] = [await add(), await add(), await add({ expiresAt: START + 10 })]
    t.equal(await source.insert(make(), CAP), false)
    t.equal((await ids()).length, CAP, 'nothing was added, and nothing ended')
    t.equal(await source.insert(make({ accountId: await addAccount('bob') }), CAP), true)
    await source.end([first.id], START)
    t.equal(await source.insert(make(), CAP), true, 'an ended one makes room')
    t.equal(await source.insert(make(), CAP), false)
    t.equal(await source.insert(make({ createdAt: START + 10 }), CAP), true, 'so does an expired one')
    const epoch = await raiseEpoch(accountId)
    t.equal(await source.insert(make({ epoch }), CAP), true, 'and all of a raised epoch')
  })

  t.test('of many that are added at once, the cap lets no more in', async (t) => {
    const { source, make, ids } = await setUp(t)
    const all = Array.from({ length: 12 }, () => make())
    const added = await Promise.all(all.map((key) => source.insert(key, CAP)))
    t.equal(added.filter(Boolean).length, CAP)
    t.equal((await ids()).length, CAP)
  })

  t.test('the last use moves forward only', async (t) => {
    const { source, add } = await setUp(t)
    const [one, other] = [await add(), await add()]
    await source.noteUse([one.id, 'unknown'], START + 60)
    await source.noteUse([one.id], START + 30)
    t.match((await source.find(one.id))?.key, { lastUsedAt: START + 60 })
    t.match((await source.find(other.id))?.key, { lastUsedAt: null })
    await source.noteUse([other.id, one.id], START + 90)
    t.match((await source.list(one.accountId, START))[0], { lastUsedAt: START + 90 })
  })
}
