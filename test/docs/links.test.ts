import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'
import { englishPages, ROOT, TRANSLATION } from './blocks.js'
import { anchorsOf, read, targetsOf } from './links.js'

/** Links and pictures that stay in the repository. */
const linksOf = (page: string) => targetsOf(read(page)).filter((target) => !/^[a-z]+:/.test(target))

t.test('every link of a page leads somewhere', async (t) => {
  for (const page of [...englishPages(), TRANSLATION]) {
    for (const link of linksOf(page)) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : normalize(join(dirname(page), path))
      if (!existsSync(join(ROOT, target))) t.fail(`${page}: ${link}`)
      else if (anchor !== undefined && !anchorsOf(target).includes(anchor)) t.fail(`${page}: ${link}`)
    }
  }
  t.pass('all of them')
})

t.test("the README's list has every page of docs/", async (t) => {
  const [, list = ''] = /^## Documentation$([\s\S]*?)^## /m.exec(read('README.md')) ?? []
  const listed = [...list.matchAll(/\]\(([\w/.-]+\.md)\)/g)].map(([, page]) => page)
  t.same(
    listed.sort(),
    englishPages()
      .filter((page) => page !== 'README.md')
      .sort(),
  )
})
