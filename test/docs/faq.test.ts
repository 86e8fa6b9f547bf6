import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from './blocks.js'
import { proseOf, read, targetsOf } from './links.js'

const MOST_WORDS = 120

interface Question {
  readonly title: string
  readonly answer: string
}

/** The questions of a page, which are its headings of the third level. */
function questionsOf(page: string): Question[] {
  const parts = proseOf(page).split(/^#{2,3} /m)
  return parts.flatMap((part) => {
    const [title = '', ...lines] = part.split('\n')
    const answer = lines.join('\n').trim()
    return answer === '' || part.startsWith('# ') ? [] : [{ title, answer }]
  })
}

/** All text in which a name of the project can stand: its sources and its settings. */
function sources(): string {
  const entries = ['plugins', 'routes', 'config'].flatMap((directory) =>
    readdirSync(join(ROOT, directory), { recursive: true, withFileTypes: true }),
  )
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  const paths = files
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/\/(dist|node_modules)\//.test(path))
  return [read('.env.example'), ...paths.map((path) => readFileSync(path, 'utf8'))].join('\n')
}

/** `SIGNED_OUT`, `AUTH_SECRETS`, `signInCap`, `app.signIns.endAll(id)`: the words of these. */
function namesIn(answer: string): string[] {
  const spans = [...answer.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span)
  const ours = spans.filter((span) =>
    /^([A-Z]+(_[A-Z]+)+(=\w+)?|[a-z]+[A-Z]\w*|(app|request)\.[\w.]+(\(.*\))?)$/.test(span),
  )
  return ours.flatMap((span) => span.replace(/[=(].*$/, '').split('.'))
}

t.test(
  'docs/faq.md answers thirty-two questions, each in few words and with a page that says more',
  async (t) => {
    const questions = questionsOf('docs/faq.md')
    t.equal(questions.length, 32)
    for (const { title, answer } of questions) {
      const words = answer.split(/\s+/).length
      t.ok(words <= MOST_WORDS, `${title}: ${words} words`)
      t.ok(targetsOf(answer).length > 0, `${title}: a link`)
    }
  },
)

t.test('every code, setting, option and function that it names exists', async (t) => {
  const text = sources()
  const words = new Set(text.match(/\w+/g))
  const names = new Set(questionsOf('docs/faq.md').flatMap(({ answer }) => namesIn(answer)))
  t.ok(names.size > 50, `${names.size} names`)
  for (const name of names) t.ok(words.has(name), name)
})
