import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import deviceBinding, { type DeviceBindingOptions } from '../../plugins/device-binding.js'
import type { ModeName } from '../../plugins/lib/contract.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { DeviceClient } from './device-client.js'
import type { Algorithm } from './signing-key.js'
import { ALICE, buildSuite, cookieMode, type SuiteOptions, sessionMode } from './suite.js'

export const COOKIES: Record<string, string> = {
  cookie: '__Host-identity',
  session: '__Host-session',
}

export const proofOf = (mode: string) => `${COOKIES[mode]}_proof`

export interface DeviceAppOptions extends Partial<Omit<SuiteOptions, 'modes'>> {
  readonly device?: Partial<DeviceBindingOptions>
  readonly cookie?: object
  readonly session?: object
  readonly store?: StateStore
}

/** An application whose cookie and session modes bind sign-ins, and browsers for it. */
export async function deviceApp(t: Test, options: DeviceAppOptions = {}) {
  const { device = {}, cookie, session, ...others } = options
  const withDevice = async (app: FastifyInstance) =>
    void (await app.register(deviceBinding, { mode: 'on', ...device }))
  const suite = await buildSuite(t, {
    ...others,
    modes: [withDevice, sessionMode({ secure: true, ...session }), cookieMode({ secure: true, ...cookie })],
  })
  const { app, clock } = suite
  const browser = (algorithm?: Algorithm) => new DeviceClient(app, clock.read, algorithm)
  const signIn = async (client: DeviceClient, mode: ModeName, more: object = {}) => {
    const answer = await client.post(`/sign_in/${mode}`, { account: ALICE, options: {}, ...more })
    if (answer.statusCode !== 200) throw new Error(`${mode}: ${answer.statusCode} ${answer.body}`)
    return answer
  }
  return {
    ...suite,
    browser,
    signIn,
    /** A browser that has signed in, and has bound the sign-in. */
    async bound(mode: ModeName, algorithm?: Algorithm) {
      const client = browser(algorithm)
      await signIn(client, mode)
      return client
    },
    /** A request with copied cookies, and no key. */
    withCookies: (cookie: string, url = '/me') => app.inject({ url, headers: { cookie } }),
    records: () => app.signIns.list(ALICE.id),
  }
}

export type DeviceApp = Awaited<ReturnType<typeof deviceApp>>
