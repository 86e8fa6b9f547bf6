import Fastify from 'fastify'
import t from 'tap'
import type { AuthMode } from '../../../../plugins/lib/contract.js'
import { createModeRegistry } from '../../../../plugins/lib/identity/mode-registry.js'

declare module '../../../../plugins/lib/contract.js' {
  interface AuthModes {
    first: { readonly n: 1 }
    second: { readonly n: 2 }
  }
}

function makeMode<N extends 'first' | 'second'>(name: N, n: N extends 'first' ? 1 : 2): AuthMode<N> {
  return {
    name,
    ambient: false,
    resolve: () => ({ kind: 'absent' }),
    issue: async () => ({ n }) as never,
    signOut: async () => false,
    clear: () => undefined,
  }
}

const first = makeMode('first', 1)
const second = makeMode('second', 2)

t.test('modes are found by name and listed in the order of registration', async (t) => {
  const { registry, selectModes } = createModeRegistry(Fastify())
  t.same(registry.names, [])
  registry.add(second)
  registry.add(first)
  t.same(registry.names, ['second', 'first'])
  t.equal(registry.get('first'), first)
  t.same(selectModes(), [second, first])
  t.same(selectModes(['first', 'second']), [second, first], 'whatever the order of the names')
  t.same(selectModes(['first']), [first])
})

t.test('the list of names is a copy', async (t) => {
  const { registry } = createModeRegistry(Fastify())
  registry.add(first)
  const names = registry.names as string[]
  names.push('second')
  t.same(registry.names, ['first'])
})

t.test('a name that is not registered is refused', async (t) => {
  const { registry, selectModes } = createModeRegistry(Fastify())
  registry.add(first)
  for (const name of ['second', '', 'First', '__proto__', 'constructor', 'toString']) {
    t.throws(() => registry.get(name as 'second'), { code: 'MODE_UNKNOWN', statusCode: 500 }, name)
    t.throws(() => selectModes([name as 'second', 'first']), { code: 'MODE_UNKNOWN' }, name)
  }
})

t.test('a guard without a mode to ask is refused: it would refuse everybody', async (t) => {
  const { registry, selectModes } = createModeRegistry(Fastify())
  t.throws(() => selectModes(), { code: 'OPTION_INVALID' })
  registry.add(first)
  t.throws(() => selectModes([]), { code: 'OPTION_INVALID' })
})

t.test('a second mode of the same name is refused, and the first stays', async (t) => {
  const { registry } = createModeRegistry(Fastify())
  registry.add(first)
  t.throws(() => registry.add(makeMode('first', 1)), {
    code: 'OPTION_INVALID',
    message: /first is registered twice/,
  })
  t.equal(registry.get('first'), first)
})

t.test('a mode that leaves something out is refused', async (t) => {
  const { registry } = createModeRegistry(Fastify())
  for (const field of ['name', 'ambient', 'resolve', 'issue', 'signOut', 'clear']) {
    for (const value of [undefined, null, '', 1]) {
      const mode: unknown = { ...first, [field]: value }
      t.throws(() => registry.add(mode as AuthMode), { code: 'OPTION_INVALID' }, `${field}: ${value}`)
    }
  }
  t.same(registry.names, [])
})

t.test('the registry is open until the application starts', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const { registry } = createModeRegistry(app)
  app.register(async () => registry.add(first))
  await app.ready()
  t.throws(() => registry.add(second), { code: 'OPTION_INVALID', message: /before the application starts/ })
  t.same(registry.names, ['first'])
})
