import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { useAudit } from './audit.js'
import { answerRefusal, forbidSharing } from './lib/device/answers.js'
import { Bindings } from './lib/device/bindings.js'
import { Challenges } from './lib/device/challenges.js'
import { DeviceCodes } from './lib/device/codes.js'
import { DeviceBinding } from './lib/device/device-binding.js'
import { checkDeviceOptions, type DeviceBindingOptions } from './lib/device/options.js'
import { type DeviceParts, type DeviceSettings, refreshPathOf, registerPathOf } from './lib/device/parts.js'
import { refreshProof } from './lib/device/refresh.js'
import { registerDevice } from './lib/device/register.js'
import { OptionInvalid } from './lib/errors.js'

export type { DeviceBinding, DeviceBindingOptions }

function makeParts(app: FastifyInstance, settings: DeviceSettings): DeviceParts {
  const { keyRing, signIns, audit, identityClock: clock } = app
  return Object.freeze({
    settings,
    codes: new DeviceCodes(keyRing.purpose('device-code')),
    challenges: new Challenges(keyRing.purpose('device-challenge')),
    bindings: new Bindings(keyRing.purpose('device-binding')),
    proofKeys: keyRing.purpose('device-proof'),
    signIns,
    audit,
    clock,
  })
}

type Serve = (binding: DeviceBinding, request: FastifyRequest, reply: FastifyReply) => Promise<object>

/**
 * Adds a route that only browsers call, by themselves. It answers before a body is parsed, and ignores the body. It
 * needs neither the same-origin check nor the throttle: only the device's key can sign what the route accepts.
 */
function addRoute(scope: FastifyInstance, binding: DeviceBinding, url: string, serve: Serve): void {
  scope.post(url, {
    schema: { hide: true } as object,
    onRequest: async function answerDevice(request, reply) {
      const configuration = await serve(binding, request, reply)
      forbidSharing(reply)
      return reply.send(configuration)
    },
    handler: async () => {},
  })
}

/** @throws OPTION_INVALID also if the store cannot bind, or no mode could be bound */
async function deviceBinding(app: FastifyInstance, options: DeviceBindingOptions): Promise<void> {
  const checked = checkDeviceOptions(options)
  // Browsers need the path with the prefix. Fastify adds the prefix to the routes itself.
  const settings = { ...checked, path: `${app.prefix}${checked.path}` }
  if (typeof app.stateStore.settleBinding !== 'function')
    throw new OptionInvalid('deviceBinding', 'wants a store that has settleBinding')
  await useAudit(app, app.identityClock)
  const binding = new DeviceBinding(makeParts(app, settings))
  app.decorate('deviceBinding', binding)
  await app.register(async function deviceRoutes(scope) {
    scope.setErrorHandler(answerRefusal)
    addRoute(scope, binding, registerPathOf(checked), registerDevice)
    addRoute(scope, binding, refreshPathOf(checked), refreshProof)
  })
  app.addHook('onReady', async function requireBindableMode() {
    if (!binding.isUsed)
      throw new OptionInvalid(
        'deviceBinding',
        'would do nothing: no mode with secure cookies was registered after it',
      )
  })
}

export default fp(deviceBinding, {
  fastify: '5.x',
  name: 'fastify-identity-device-binding',
  dependencies: ['fastify-identity-core', 'fastify-identity-sign-ins'],
})
