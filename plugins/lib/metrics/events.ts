import type { AuditDetails, AuditEvent, EndReason, ProofRefusal } from '../audit.js'
import type { Instruments } from './instruments.js'

/** Bounds the values of a label: an unknown one becomes `other`. */
function oneOf(known: ReadonlySet<string>, value: string): string {
  return known.has(value) ? value : 'other'
}

const ENDINGS: ReadonlySet<string> = new Set<EndReason | 'signed_out'>([
  'signed_out',
  'asked',
  'replaced',
  'cap',
  'refresh_reuse',
])
const LIMITS: ReadonlySet<string> = new Set<AuditDetails['throttled']['by']>([
  'account',
  'address',
  'pair',
  'device',
])
/** Attempts with a username are limited in four ways, the others by address. */
const NAMED = ['sign_in', 'password']
/** Attempts at the second factor of a known account. */
const FACTOR = 'factor'
const UNNAMED = ['passkey', 'refresh', 'register', 'api_key']
const ATTEMPTS = new Set([...NAMED, FACTOR, ...UNNAMED])
const PROOF_REASONS: ReadonlySet<string> = new Set<ProofRefusal>(['missing', 'invalid', 'spent', 'other_key'])
const KINDS = new Set<string>([
  'totp',
  'passkey',
  'recovery_code',
] satisfies AuditDetails['factor_refused']['kind'][])
const OUTCOMES = new Set(['rotated', 'repeated', 'reused'])

const LIMIT_SERIES = [
  ...NAMED.flatMap((what) => [...LIMITS].map((by) => ({ what, by }))),
  ...['account', 'address', 'device'].map((by) => ({ what: FACTOR, by })),
  ...UNNAMED.map((what) => ({ what, by: 'address' })),
]

/** Counts audit events, with no label that identifies a person. */
export function createEventCounters(instruments: Instruments, modes: ReadonlySet<string>) {
  const signIns = instruments.counter('sign_ins_total')
  const ended = instruments.counter(
    'sign_ins_ended_total',
    [...ENDINGS].map((reason) => ({ reason })),
  )
  const bound = instruments.counter('bound_sign_ins_total')
  const unproved = instruments.counter('proofs_refused_total')
  const raised = instruments.counter('epochs_raised_total')
  const wrong = instruments.counter('wrong_passwords_total')
  const asked = instruments.counter('second_factors_asked_total')
  const wrongFactors = instruments.counter(
    'wrong_factors_total',
    [...KINDS].map((kind) => ({ kind })),
  )
  const throttled = instruments.counter('throttled_total', LIMIT_SERIES)
  const refreshes = instruments.counter(
    'refreshes_total',
    [...OUTCOMES].map((outcome) => ({ outcome })),
  )
  const countWrong = (mode: string, what: string) => wrong.inc({ mode: oneOf(modes, mode), what })
  return {
    /** Creates the series of a mode at 0. */
    addMode(mode: string) {
      signIns.inc({ mode }, 0)
      bound.inc({ mode }, 0)
      asked.inc({ mode }, 0)
      for (const reason of PROOF_REASONS) unproved.inc({ mode, reason }, 0)
      for (const what of NAMED) wrong.inc({ mode, what }, 0)
    },
    count(event: AuditEvent) {
      switch (event.type) {
        case 'signed_in':
          return signIns.inc({ mode: oneOf(modes, event.mode) })
        case 'sign_in_bound':
          return bound.inc({ mode: oneOf(modes, event.mode) })
        case 'proof_refused':
          return unproved.inc({ mode: oneOf(modes, event.mode), reason: oneOf(PROOF_REASONS, event.reason) })
        case 'signed_out':
          return ended.inc({ reason: event.type })
        case 'sign_in_ended':
          return ended.inc({ reason: oneOf(ENDINGS, event.why) })
        case 'epoch_raised':
          return raised.inc()
        case 'sign_in_refused':
          if (event.reason === 'passkey') return wrongFactors.inc({ kind: event.reason })
          return countWrong(event.mode, 'sign_in')
        case 'password_refused':
          return countWrong(event.mode, 'password')
        case 'second_factor_asked':
          return asked.inc({ mode: oneOf(modes, event.mode) })
        case 'factor_refused':
          return wrongFactors.inc({ kind: oneOf(KINDS, event.kind) })
        case 'throttled':
          return throttled.inc({ what: oneOf(ATTEMPTS, event.what), by: oneOf(LIMITS, event.by) })
        case 'refreshed':
          return refreshes.inc({ outcome: oneOf(OUTCOMES, event.outcome) })
        case 'refresh_reuse_detected':
          return refreshes.inc({ outcome: 'reused' })
      }
    },
  }
}
