import type { FastifyRequest } from 'fastify'
import type { CheckedAccount } from '../contract.js'
import { OptionInvalid } from '../errors.js'
import type { BrowserHalf } from './browser-half.js'
import { PasskeyChallenges } from './challenges.js'
import type { FactorContext } from './context.js'
import type { ChallengeScope, Factors } from './contract.js'
import type { FactorKeeper } from './keeper.js'
import { PasskeyRegistration } from './passkey-registration.js'
import { PasskeySignIns } from './passkey-sign-in.js'
import { Passkeys } from './passkeys.js'
import type { Verifiers } from './verification.js'

/** The methods of `app.factors` for passkeys. */
export type PasskeyFactors = Pick<
  Factors,
  'challenge' | 'beginPasskey' | 'addPasskey' | 'beginPasskeySignIn' | 'passkeySignIn'
> & {
  readonly verify: Verifiers['passkey']
}

/** Without `rpId`, there are no passkeys. */
function absent(): never {
  throw new OptionInvalid('rpId', 'is missing: there are no passkeys')
}

const NONE: PasskeyFactors = Object.freeze({
  challenge: async () => absent(),
  beginPasskey: async () => absent(),
  addPasskey: async () => absent(),
  beginPasskeySignIn: async () => absent(),
  passkeySignIn: async () => absent(),
  verify: async () => 'wrong' as const,
})

/** @throws OPTION_INVALID if the store cannot spend challenges */
function challengesOf({ app }: FactorContext): PasskeyChallenges {
  const { stateStore, keyRing, identityClock: clock } = app
  const spendOnce = stateStore.spendOnce?.bind(stateStore)
  if (!spendOnce) throw new OptionInvalid('store', 'wants the function spendOnce, for passkeys')
  return new PasskeyChallenges({ keys: keyRing.purpose('passkey-challenge'), clock, store: { spendOnce } })
}

export function createPasskeyFactors(
  context: FactorContext,
  keeper: FactorKeeper,
  half: BrowserHalf,
): PasskeyFactors {
  const { app, source, settings } = context
  if (settings.passkeys === null) return NONE
  const { identityClock: clock, audit } = app
  const parts = { settings: settings.passkeys, source, challenges: challengesOf(context), clock, audit }
  const passkeys = new Passkeys(parts)
  const registration = new PasskeyRegistration(parts)
  const signIns = new PasskeySignIns({ app, passkeys, half })
  return Object.freeze({
    challenge: (scope: ChallengeScope) => passkeys.options(scope),
    beginPasskey: registration.begin.bind(registration),
    async addPasskey(
      account: CheckedAccount,
      signInId: string,
      response: unknown,
      name: string,
      request?: FastifyRequest,
    ) {
      const factor = await registration.register(account, signInId, response, name)
      const { info, recoveryCodes } = await keeper.add(factor, account, request)
      return { ...info, recoveryCodes }
    },
    beginPasskeySignIn: (request: FastifyRequest) => signIns.begin(request),
    passkeySignIn: signIns.signIn.bind(signIns),
    async verify(response: unknown, scope: ChallengeScope, request: FastifyRequest) {
      const outcome = await passkeys.verify(scope, response, request)
      return typeof outcome === 'string' ? outcome : { given: { method: 'passkey', at: clock() } }
    },
  } satisfies PasskeyFactors)
}
