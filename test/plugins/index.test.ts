import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import suite, { type SuiteOptions } from '../../plugins/index.js'
import { memoryApiKeys } from '../helpers/memory-api-keys.js'

const GOOD = {
  secrets: ['Zk3v9QmXr7LwT2bNc8YhFp5sJd6GaV4e'],
  state: { memory: true },
  accounts: { verify: async () => null, find: async () => null },
} as const

async function boot(t: Test, options: object) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(suite, options as SuiteOptions)
  await app.ready()
  return app
}

t.test('the suite registers the modes in the order that is asked for', async (t) => {
  t.same((await boot(t, GOOD)).authModes.names, ['token', 'session', 'cookie'])
  t.same((await boot(t, { ...GOOD, modes: ['cookie', 'token'] })).authModes.names, ['cookie', 'token'])
})

t.test('API keys are asked before all other modes, and only where they are asked for', async (t) => {
  const { source } = memoryApiKeys(() => null)
  const { authModes } = await boot(t, { ...GOOD, apiKey: { source }, modes: ['cookie'] })
  t.same(authModes.names, ['api_key', 'cookie'])
  t.notOk((await boot(t, GOOD)).hasDecorator('apiKeys'))
})

t.test('a cookie may have the name that belongs to a part which is not there', async (t) => {
  await t.resolves(boot(t, { ...GOOD, modes: ['cookie'], cookie: { name: 'session' } }))
  await t.resolves(boot(t, { ...GOOD, cookie: { name: 'device' } }))
  await t.resolves(boot(t, { ...GOOD, cookie: { name: 'session' }, session: { name: 'identity' } }))
})

t.test('an option that is wrong, misspelt or without effect refuses to boot, by name', async (t) => {
  const wrong: [object, RegExp][] = [
    [{ tokens: {} }, /tokens is unknown/],
    [{ cookie: { tl: 5 } }, /tl is unknown/],
    [{ session: { rememberTTL: 5 } }, /rememberTTL is unknown/],
    [{ token: { accessTTL: 5 } }, /accessTTL is unknown/],
    [{ cookie: { name: 'session' } }, /name must differ/],
    [{ cookie: { name: 'device' }, throttle: {} }, /deviceName must differ/],
    [{ throttle: { deviceName: 'session' } }, /deviceName must differ/],
    [{ accounts: undefined }, /accounts wants/],
    [{ accounts: {} }, /accounts wants .*no function verify/],
    [{ accounts: { verify: GOOD.accounts.verify } }, /accounts wants .*no function find/],
    [{ state: undefined }, /state wants/],
    [{ state: {} }, /stores wants/],
    [{ modes: 'cookie' }, /modes wants/],
    [{ modes: [] }, /modes wants/],
    [{ modes: ['cookies'] }, /modes wants/],
    [{ modes: ['cookie'], token: {} }, /token would do nothing/],
    [{ apiKey: {} }, /source wants an ApiKeySource/],
    [{ apiKey: { keyprefix: 'acme' } }, /keyprefix is unknown/],
    [{ secrets: [] }, /secrets/],
    [{ allowedOrigins: ['nonsense'] }, /allowedOrigins/],
  ]
  for (const [change, message] of wrong) {
    await t.rejects(boot(t, { ...GOOD, ...change }), { code: 'OPTION_INVALID', message }, String(message))
  }
})

t.test('beside @fastify/session the session mode is refused, with the modes that go with it', async (t) => {
  const bootBeside = async (options: object) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(fastifyCookie)
    await app.register(fastifySession, { secret: GOOD.secrets[0] })
    app.register(suite, options as SuiteOptions)
    await app.ready()
    return app
  }
  await t.rejects(bootBeside(GOOD), {
    code: 'OPTION_INVALID',
    message: /modes must be \['token', 'cookie'\]/,
  })
  t.same((await bootBeside({ ...GOOD, modes: ['token', 'cookie'] })).authModes.names, ['token', 'cookie'])
})
