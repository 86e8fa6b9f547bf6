import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'
import { englishPages, ROOT, translations } from './blocks.js'
import { anchorsOf, proseOf, read, targetsOf } from './links.js'

/** Links and pictures that stay in the repository. */
const linksOf = (page: string) => targetsOf(proseOf(page)).filter((target) => !/^[a-z]+:/.test(target))

t.test('every link of a page leads somewhere', async (t) => {
  for (const page of [...englishPages(), ...translations().map(({ page }) => page)]) {
    for (const link of linksOf(page)) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : normalize(join(dirname(page), path))
      if (!existsSync(join(ROOT, target))) t.fail(`${page}: ${link}`)
      else if (anchor !== undefined && !anchorsOf(target).includes(anchor)) t.fail(`${page}: ${link}`)
    }
  }
  t.pass('all of them')
})

t.test('docs/README.md lists every page', async (t) => {
  const index = 'docs/README.md'
  const listed = targetsOf(read(index)).map((target) => normalize(join(dirname(index), target)))
  const pages = englishPages().filter((page) => page !== index && !page.endsWith('/README.md'))
  const inChinese = translations().map(({ page }) => page)
  t.same(listed.sort(), [...pages, ...inChinese, 'plugins/README.md'].sort())
})

t.test('a README is read in one go: at most 1200 words, with its code', async (t) => {
  for (const page of ['README.md', 'plugins/README.md']) {
    const words = read(page).split(/\s+/).filter(Boolean)
    t.ok(words.length <= 1200, `${page}: ${words.length}`)
  }
})
