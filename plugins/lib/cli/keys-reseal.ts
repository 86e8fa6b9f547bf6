import { readConfig } from '../config/config.js'
import { createKeyRing } from '../credentials/keys.js'
import { countSealed, lostSentence, resealAll } from '../factors/reseal.js'
import { FactorSeal } from '../factors/seal.js'
import { type Command, CommandFailed, refuseArguments } from './command.js'
import { withAccounts } from './open-accounts.js'
import { secretsOf } from './open-state.js'

export const keysReseal: Command = {
  name: 'keys reseal',
  usage: '',
  summary:
    'Seals the secrets of authenticator apps with the first of AUTH_SECRETS, so that old secrets can be removed. May be repeated.',
  async run(args, terminal) {
    refuseArguments(this, args)
    const seal = new FactorSeal(createKeyRing(secretsOf(readConfig(terminal.env))).purpose('factor'))
    await withAccounts(terminal, async ({ factors }) => {
      const { altered } = await resealAll(factors, seal, (resealed) => {
        terminal.stdout.write(`Second factors sealed again: ${resealed}.\n`)
      })
      const counts = await countSealed(factors, seal.keys)
      terminal.stdout.write(`Second factors under the first secret: ${counts.current}.\n`)
      const lost = lostSentence(counts)
      if (lost !== null) throw new CommandFailed(lost)
      if (altered > 0)
        throw new CommandFailed(`Second factors that were altered, and cannot be opened: ${altered}.`)
    })
  },
}
