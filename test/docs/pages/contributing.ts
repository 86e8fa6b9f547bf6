import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../blocks.js'
import { isScripted, notRun, type Page } from '../runners.js'

const page: Page = {
  'one-test': notRun('tests would run inside of a test', async (t, text) => {
    await isScripted(t, text)
    for (const [file] of text.matchAll(/test\/[\w./-]+\.ts/g)) t.ok(existsSync(join(ROOT, file)), file)
  }),
  checks: notRun('they check the whole repository', isScripted),
}

export default page
