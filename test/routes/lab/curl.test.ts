// In a process of its own: its shells may wait for the processor longer than others' tests.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { EXPERIMENTS } from '../../../routes/lab/experiments.js'
import { Lab } from '../../../routes/lab/world.js'
import { startLab } from './lab-server.js'

t.test('every script shows on the running server what its experiment shows', async (t) => {
  for (const { name, choices, run } of EXPERIMENTS) {
    const { origin } = await startLab(t)
    const first = choices[0] ?? { id: '', options: [{ id: '' }] }
    for (const option of first.options) {
      const lab = new Lab('en')
      const defaults = Object.fromEntries(choices.map(({ id, options }) => [id, options[0]?.id ?? '']))
      const chosen = first.id === '' ? defaults : { ...defaults, [first.id]: option.id }
      const { curl } = await run(lab, chosen, null).finally(() => lab.close())
      const { stdout } = await promisify(execFile)('bash', ['-eu', '-c', curl], {
        env: { PATH: process.env.PATH, BASE: origin },
      })
      const expected = /\n# => (.+)\n$/.exec(curl)?.[1]
      t.equal(stdout.trimEnd().split('\n').at(-1)?.trim(), expected, `${name} ${option.id}\n${stdout}`)
    }
  }
})
