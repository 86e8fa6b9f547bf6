import t from 'tap'
import { Batches } from '../../../../plugins/lib/stores/batches.js'

/** Transactions that count, and undo what was done when they fail. */
function makeCommits() {
  const state = { commits: 0, done: [] as string[] }
  const commits = new Batches(async (writes: readonly (() => boolean)[]) => {
    const before = [...state.done]
    try {
      const results = writes.map((write) => write())
      state.commits++
      return results
    } catch (error) {
      state.done = before
      throw error
    }
  })
  const write = (name: string, result = true) =>
    commits.add(() => {
      state.done.push(name)
      return result
    })
  return { state, commits, write }
}

t.test('items of one turn are one batch, in their order, and each has its own answer', async (t) => {
  const { state, write } = makeCommits()
  t.same(await Promise.all([write('a'), write('b', false), write('c')]), [true, false, true])
  t.same(state, { commits: 1, done: ['a', 'b', 'c'] })
  t.equal(await write('d'), true)
  t.same(state, { commits: 2, done: ['a', 'b', 'c', 'd'] })
})

t.test('nothing is answered before it is committed', async (t) => {
  const { state, write } = makeCommits()
  let commits = -1
  const first = write('a').then(() => {
    commits = state.commits
  })
  t.same(state.done, [], 'and nobody waits within the call')
  await first
  t.equal(commits, 1)
})

t.test('where one fails none is done, all are told, and the next ones go on', async (t) => {
  const { state, commits, write } = makeCommits()
  const fault = new Error('the disk is full')
  const failing = commits.add(() => {
    throw fault
  })
  const results = await Promise.allSettled([write('a'), failing, write('b')])
  t.same(
    results.map((result) => result.status === 'rejected' && result.reason),
    [fault, fault, fault],
  )
  t.same(state, { commits: 0, done: [] })
  t.equal(await write('c'), true)
  t.same(state.done, ['c'])
})
