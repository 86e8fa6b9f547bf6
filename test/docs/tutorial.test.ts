import t from 'tap'
import { EXPERIMENTS } from '../../routes/lab/experiments.js'
import { read } from './links.js'

const LINK = /\[([^\]]+)\]\(http:\/\/127\.0\.0\.1:3000\/lab#([\w-]+)\)/g

/** The experiments that a page leads to: their names, each with the text of its link. */
const linksOf = (page: string) =>
  new Set([...read(page).matchAll(LINK)].map(([, text, name]) => `${name}: ${text}`))

for (const [page, language] of [
  ['docs/tutorial.md', 'en'],
  ['docs/zh/tutorial.md', 'zh'],
] as const)
  t.test(`${page} leads to every experiment of the lab, by its title there`, async (t) => {
    const titles = EXPERIMENTS.map(({ name, title }) => `${name}: ${title[language]}`)
    t.same([...linksOf(page)].sort(), titles.sort())
  })
