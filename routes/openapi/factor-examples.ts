import {
  Factor,
  FactorList,
  FactorsReset,
  NewTotp,
  PasskeyAdded,
  PasskeyOptions,
  PasskeySignIn,
  RecoveryCodes,
} from './factor-schemas.js'

const BEGAN = '2026-03-02T09:30:00.000Z'
const SEEN = '2026-03-02T09:41:00.000Z'

const totp = { id: 'aR3…', kind: 'totp', name: 'Phone', created_at: BEGAN, last_used_at: SEEN }
const recoveryCodes = {
  ...{ id: 'rc_…', kind: 'recovery_code', name: 'Recovery codes', created_at: BEGAN, last_used_at: null },
  left: 10,
}
const CODES = ['7F3KQ-…', 'M9XW2-…']
const passkeyOptions = { challenge: 'v1.q83n…', rpId: 'center.example', userVerification: 'required' }

/** By the schema of `data`. Secrets are cut short. */
export const FACTOR_EXAMPLES: readonly (readonly [unknown, unknown])[] = [
  [FactorList, [totp, recoveryCodes]],
  [Factor, totp],
  [RecoveryCodes, { recovery_codes: CODES }],
  [
    NewTotp,
    {
      id: 'v1.8mZt…',
      secret: 'JBSWY3DPEHPK3PXP…',
      uri: 'otpauth://totp/center.example:Zo%C3%AB?secret=…',
      qr: 'data:image/svg+xml;base64,…',
    },
  ],
  [PasskeyOptions, passkeyOptions],
  [PasskeyAdded, { ...totp, id: 'pk_…', kind: 'passkey', name: 'Laptop' }],
  [PasskeySignIn, { options: passkeyOptions, pending: 'v1.Zk3v9QmX…' }],
  [FactorsReset, { removed: 2, ended: 1 }],
]
