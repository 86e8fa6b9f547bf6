import type { FastifyReply, FastifyRequest } from 'fastify'
import { DeviceProofRequired, SignedOut } from '../errors.js'
import { type Compact, verifyCompact } from '../jws/compact.js'
import { isLiveNow } from '../sign-ins/liveness.js'
import { refOfRecord } from '../sign-ins/record.js'
import type { SignInRecord } from '../stores/contract.js'
import { type Challenge, isAnswerable } from './challenges.js'
import type { Identifier } from './codes.js'
import { configurationOf } from './configuration.js'
import type { DeviceBinding } from './device-binding.js'
import { identifierOf, responseOf } from './headers.js'
import type { BindableMode, ModeDevices } from './mode-devices.js'
import { refreshPathOf } from './parts.js'

/** A bound sign-in that a browser wants to prove. */
interface Claimed {
  readonly identifier: Identifier
  readonly devices: ModeDevices & { readonly mode: BindableMode }
}

/** @throws SIGNED_OUT: a forged identifier costs no lookup */
async function readClaimed(binding: DeviceBinding, request: FastifyRequest): Promise<Claimed> {
  const { codes, signIns } = binding.parts
  const identifier = codes.readIdentifier(identifierOf(request) ?? '')
  const devices = identifier && binding.of(identifier.ref.mode)
  if (!devices) throw new SignedOut()
  if (identifier.isGenuine && !(await signIns.isLive(identifier.ref))) throw new SignedOut()
  return { identifier, devices }
}

interface Answer {
  readonly response: Compact
  readonly challenge: Challenge
}

/** The request's answer to a challenge for this sign-in that is new enough. Its signature is not verified yet. */
function readAnswer(binding: DeviceBinding, request: FastifyRequest, { identifier }: Claimed): Answer | null {
  const { challenges, clock } = binding.parts
  const response = responseOf(request)
  const challenge = response && challenges.read(identifier.ref, response.payload.jti)
  if (!challenge || challenge.kind === 'r' || !isAnswerable(challenge, clock())) return null
  return { response, challenge }
}

/**
 * The record of the sign-in, if the request does not stand for another one. A browser refreshes without any cookies after a
 * link from another site.
 */
async function findRecord(
  binding: DeviceBinding,
  request: FastifyRequest,
  { identifier: { ref }, devices }: Claimed,
): Promise<SignInRecord> {
  const record = await binding.parts.signIns.find(ref.accountId, ref.signInId)
  if (!record || devices.mode.isOther(request, record)) throw new SignedOut()
  return record
}

/**
 * Proves a bound sign-in. Sets nothing but the proof: so a refresh that is under way undoes no sign-out.
 * @throws DEVICE_PROOF_REQUIRED with a challenge, SIGNED_OUT, STORE_UNAVAILABLE
 */
export async function refreshProof(
  binding: DeviceBinding,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object> {
  const { bindings, challenges, settings, signIns, clock } = binding.parts
  const claimed = await readClaimed(binding, request)
  const { identifier, devices } = claimed
  const { ref, text } = identifier
  const refuse = () => {
    devices.challengeWith(request, challenges.derive(ref, 'p', clock()), text)
    return new DeviceProofRequired()
  }
  const answer = readAnswer(binding, request, claimed)
  if (!answer) throw refuse()
  const record = await findRecord(binding, request, claimed)
  const bound = bindings.read(ref.mode, record)
  if (bound.kind !== 'device') throw new SignedOut()
  if (!verifyCompact(answer.response, bound.key)) {
    devices.tellRefused(request, ref, 'other_key', clock())
    throw refuse()
  }
  await devices.settlement.renew(ref, record, bound)
  // After all lookups: the sign-in may have ended meanwhile.
  if (!(await isLiveNow(signIns, refOfRecord(record)))) throw new SignedOut()
  devices.prove(request, reply, ref, text, answer.challenge)
  const { excluded } = settings
  return configurationOf({
    identifier: text,
    refreshPath: refreshPathOf(settings),
    spec: devices.spec,
    excluded,
  })
}
