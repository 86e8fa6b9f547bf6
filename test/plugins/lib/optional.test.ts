import t from 'tap'
import { loadOptional } from '../../../plugins/lib/optional.js'

const ABSENT: string = 'fastify-identity-no-such-package'

t.test('a package that is there is handed out', async (t) => {
  const tap = await import('tap')
  t.equal(await loadOptional('tap', () => import('tap')), tap)
})

t.test('one that is missing is named, with what needs it and how to get it', async (t) => {
  await t.rejects(
    loadOptional(ABSENT, () => import(ABSENT), 'The embedded database'),
    {
      code: 'DEPENDENCY_MISSING',
      message: `The embedded database needs the package ${ABSENT}: npm install ${ABSENT}`,
    },
  )
  const withoutBinary = Object.assign(new Error('no binary'), { code: 'MODULE_NOT_FOUND' })
  await t.rejects(
    loadOptional(ABSENT, () => Promise.reject(withoutBinary)),
    {
      code: 'DEPENDENCY_MISSING',
      message: /^fastify-identity needs/,
    },
  )
})

t.test('one that is there and broken fails with its own error', async (t) => {
  for (const error of [
    new Error('broken'),
    Object.assign(new Error('bad'), { code: 'ERR_DLOPEN_FAILED' }),
    'text',
  ]) {
    await loadOptional(ABSENT, () => Promise.reject(error)).then(
      () => t.fail('it was loaded'),
      (thrown) => t.equal(thrown, error),
    )
  }
})
