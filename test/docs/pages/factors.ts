import { makeDataDir } from '../../helpers/user-center.js'
import { ROOT } from '../blocks.js'
import { atPort, makePrograms, type Page, runShell, startCenter } from '../runners.js'

/** In the place of the real one, which the machine may lack. Its third argument is the secret. */
const OATHTOOL = `exec '${process.execPath}' -e '
const { TOTP, Secret } = require("${ROOT}/node_modules/otpauth")
console.log(new TOTP({ secret: Secret.fromBase32(process.argv[1]) }).generate())' "$3"`

const page: Page = {
  walk: async (t, text) => {
    const { port } = await startCenter(t)
    const env = { PROGRAMS: makePrograms(t, { oathtool: OATHTOOL }) }
    const { stdout, stderr, status } = await runShell(atPort(text, port), { cwd: makeDataDir(t), env })
    t.equal(status, 0, stderr)
    t.match(JSON.parse(`[${stdout.replaceAll(/\}\s*\{/g, '},{')}]`), [
      { code: 200, auth_type: 'cookie' },
      { code: 200, auth_type: 'cookie' },
      { code: 401, error: 'SECOND_FACTOR_REQUIRED', data: { factors: ['totp', 'recovery_code'] } },
      { code: 401, error: 'FACTOR_REFUSED' },
      { code: 200, auth_type: 'cookie' },
      { code: 200, data: [{ factors: ['password', 'recovery_code'] }] },
    ])
  },
}

export default page
