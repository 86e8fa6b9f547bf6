import t from 'tap'
import { RevocationList } from '../../../../plugins/lib/revocation/list.js'

const GENERATION = 7
const UNTIL = 10_000

const refOf = (signInId: string, accountId = 'a', epoch = 0) => ({
  accountId,
  signInId,
  epoch,
  generation: GENERATION,
})

function adopted(max = 1000): RevocationList {
  const list = new RevocationList(max)
  list.adopt(GENERATION)
  return list
}

t.test('before a list was adopted, and of another one, nothing is live', async (t) => {
  const list = new RevocationList(1000)
  t.equal(list.judge(refOf('one')), 'foreign')
  list.adopt(GENERATION)
  t.equal(list.judge(refOf('one')), 'live')
  t.equal(list.judge({ ...refOf('one'), generation: GENERATION + 1 }), 'foreign')
})

t.test('reading the same list again gives up nothing that is known', async (t) => {
  const list = adopted()
  list.put('s:one', UNTIL, 0)
  list.put('e:b', -3, UNTIL)
  list.put('p:1:b:spared', -3, 0)
  list.adopt(GENERATION)
  t.strictSame(
    [list.judge(refOf('one')), list.judge(refOf('two', 'b', 2)), list.judge(refOf('spared', 'b', 2))],
    ['ended', 'ended', 'live'],
  )
  list.adopt(GENERATION + 1)
  t.equal(list.size, 0, 'another one begins with nothing')
})

t.test('an epoch whose end is not known yet is kept until it is', async (t) => {
  const list = adopted()
  list.put('e:a', -3, 0)
  await list.sweep(UNTIL)
  t.equal(list.judge(refOf('one', 'a', 2)), 'ended', 'its end comes as a member of its own, later')
  list.put('t:e:a', UNTIL, 0)
  await list.sweep(UNTIL - 1)
  t.equal(list.judge(refOf('one', 'a', 2)), 'ended')
  await list.sweep(UNTIL)
  t.equal(list.judge(refOf('one', 'a', 2)), 'live', 'what it ended has expired by itself')
  t.equal(list.size, 0)
})

t.test('a listener is called once for all that one turn took in', async (t) => {
  const list = adopted()
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  let heard = 0
  const leave = list.onRevoked(() => heard++)
  for (let index = 0; index < 1000; index++) list.put(`s:${index}`, UNTIL, 0)
  t.equal(heard, 0, 'not in the middle of it')
  await turn()
  t.equal(heard, 1)
  list.adopt(GENERATION + 1)
  await turn()
  t.equal(heard, 2, 'another list as well')
  leave()
  list.put('s:one', UNTIL, 0)
  await turn()
  t.equal(heard, 2)
})

t.test('the strictest wins, in whatever order it comes', async (t) => {
  const list = adopted()
  for (const [epoch, until] of [
    [3, 100],
    [5, UNTIL],
    [4, 200],
  ] as const)
    list.put('e:a', -epoch, until)
  for (const until of [100, UNTIL, 200]) list.put('s:one', until, 0)
  await list.sweep(UNTIL - 1)
  t.equal(list.judge(refOf('other', 'a', 4)), 'ended')
  t.equal(list.judge(refOf('other', 'a', 5)), 'live')
  t.equal(list.judge(refOf('one', 'b')), 'ended')
})

t.test('an end that need not be kept for so long is dropped earlier', async (t) => {
  const list = adopted()
  for (const id of ['one', 'two', 'again']) list.put(`s:${id}`, UNTIL, 0)
  for (const id of ['one', 'again', 'missed']) list.put(`c:${id}`, 100, 0)
  list.put('c:two', UNTIL + 1, 0)
  list.put('s:again', UNTIL, 0)
  const ended = () => ['one', 'two', 'again', 'missed'].filter((id) => list.judge(refOf(id)) === 'ended')
  await list.sweep(99)
  t.strictSame(ended(), ['one', 'two', 'again', 'missed'])
  await list.sweep(100)
  t.strictSame(ended(), ['two', 'again'], 'what was ended anew counts anew')
  await list.sweep(UNTIL)
  t.strictSame(ended(), ['two'], 'and what is strictest')
  await list.sweep(UNTIL + 1)
  t.equal(list.size, 0)
})

t.test('a list that could not take everything in says so, and again what it can', async (t) => {
  const list = adopted(2)
  for (const id of ['one', 'two']) list.put(`s:${id}`, UNTIL, 0)
  t.ok(list.complete)
  list.put('s:two', UNTIL + 1, 0)
  t.ok(list.complete, 'known already')
  list.put('s:three', UNTIL, 0)
  t.notOk(list.complete)
  t.equal(list.judge(refOf('three')), 'live', 'so whoever asks must mind that it is not complete')
  t.notOk(list.hasShrunk)
  await list.sweep(UNTIL)
  t.ok(list.hasShrunk)
})

t.test('odd names are no members of Object.prototype', async (t) => {
  const list = adopted()
  for (const name of ['__proto__', 'constructor', 'toString']) {
    t.equal(list.judge(refOf(name, name)), 'live')
    list.put(`s:${name}`, UNTIL, 0)
    t.equal(list.judge(refOf(name, name)), 'ended')
  }
})

t.test('whatever is taken in makes the revision another one, and a sweep does not', async (t) => {
  const list = adopted()
  const members = ['s:one', 's:one', 'c:one', 'e:a', 'p:1:a:spared', 't:e:a']
  const seen = [list.revision]
  for (const member of members) {
    list.put(member, UNTIL, 0)
    seen.push(list.revision)
  }
  for (const generation of [GENERATION, GENERATION + 1]) {
    list.adopt(generation)
    seen.push(list.revision)
  }
  t.equal(new Set(seen).size, seen.length)
  t.ok(seen.every((revision) => revision >= 0))
  await list.sweep(UNTIL)
  t.equal(list.revision, seen.at(-1))
})
