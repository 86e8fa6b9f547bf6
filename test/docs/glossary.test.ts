import t from 'tap'
import { read } from './links.js'

t.test('docs/glossary.md has each word once, in alphabetical order, with its Chinese term', async (t) => {
  const sections = read('docs/glossary.md').split('\n## ').slice(1)
  const all: string[] = []
  for (const section of sections) {
    const rows = section.split('\n').filter((line) => /^\| (?!word )/.test(line))
    const words = rows.map((row) => row.split('|')[1]?.trim().toLowerCase() ?? '')
    t.strictSame(
      words,
      words.toSorted((a, b) => a.localeCompare(b, 'en', { ignorePunctuation: true })),
    )
    all.push(...words)
    for (const row of rows) {
      const [, word, chinese, meaning] = row.split('|').map((cell) => cell.trim())
      t.ok(word === chinese || /\p{Script=Han}/u.test(chinese ?? ''), `${word}: ${chinese}`)
      t.ok(meaning?.endsWith('.'), `${word} has a sentence`)
    }
  }
  t.equal(new Set(all).size, all.length)
  t.ok(all.length > 40, `${all.length} words`)
})
