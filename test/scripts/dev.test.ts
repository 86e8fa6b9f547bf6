import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { runProcess, until } from '../helpers/processes.js'
import { freePort } from '../helpers/redis-server.js'
import { copyTree } from '../helpers/tree.js'

test('npm run dev shows a change of the page and of a plugin, and survives a mistake', async (t) => {
  const cwd = copyTree(t)
  const PORT = String(await freePort())
  const dev = runProcess(t, [process.execPath, 'scripts/dev.mjs'], {
    cwd,
    env: { PORT, DATA_DIR: t.testdir({}) },
  })
  // It ends the server that it started.
  t.teardown(() => {
    if (dev.isRunning()) process.kill(dev.pid, 'SIGTERM')
    return dev.exit
  })
  const read = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${PORT}${path}`).catch(() => null)
    return answer?.text()
  }
  const script = async () => {
    const [address] = /\/page\/main\.en-[\da-f]+\.js/.exec((await read('/')) ?? '') ?? []
    return address ? read(address) : undefined
  }
  const shows = (text: string) => until(dev, async () => !!(await script())?.includes(text))
  const change = (file: string, edit: (text: string) => string) =>
    writeFileSync(join(cwd, file), edit(readFileSync(join(cwd, file), 'utf8')))

  await shows('title: "User center"')
  change('public/text/en.ts', (text) => text.replace("title: 'User center'", "title: 'Changed'"))
  await shows('title: "Changed"')

  change('plugins/lib/errors.ts', (text) => `${text}\nexport const = 1\n`)
  await until(dev, () => /plugins\/lib\/errors\.ts\(\d+,\d+\): error TS1134/.test(dev.output()))
  t.match(await script(), 'title: "Changed"', 'the server of before goes on')

  change('plugins/lib/errors.ts', (text) => text.replace('export const = 1', "throw new Error('on purpose')"))
  await until(dev, () => /on purpose.*plugins\/lib\/errors\.ts:\d+.*The server ended/s.test(dev.output()))
  change('plugins/lib/errors.ts', (text) => text.replace("throw new Error('on purpose')", ''))
  await shows('title: "Changed"')
  // The signal may come while it stops or starts the server.
  change('public/text/en.ts', (text) => text.replace("title: 'Changed'", "title: 'Changed again'"))
  process.kill(dev.pid, 'SIGTERM')
  t.equal(await dev.exit, 0)
  t.equal(await read('/'), undefined, 'and its server ends with it')
})
