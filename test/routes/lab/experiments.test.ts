import t from 'tap'
import type { Outcome } from '../../../routes/lab/experiment.js'
import { EXPERIMENTS } from '../../../routes/lab/experiments.js'
import type { Text } from '../../../routes/lab/text.js'
import { Lab } from '../../../routes/lab/world.js'
import { startLab } from './lab-server.js'

/** Every combination of an experiment's options. */
function combinations(choices: (typeof EXPERIMENTS)[number]['choices']): Record<string, string>[] {
  return choices.reduce<Record<string, string>[]>(
    (all, { id, options }) => all.flatMap((one) => options.map((option) => ({ ...one, [id]: option.id }))),
    [{}],
  )
}

async function* outcomes(): AsyncGenerator<{ name: string; outcome: Outcome; right: readonly string[] }> {
  for (const experiment of EXPERIMENTS) {
    for (const chosen of combinations(experiment.choices)) {
      for (const language of ['en', 'zh'] as const) {
        const lab = new Lab(language)
        const outcome = await experiment.run(lab, chosen, null).finally(() => lab.close())
        const right = experiment.predictions.map(({ id }) => id)
        yield { name: `${experiment.name} ${JSON.stringify(chosen)} ${language}`, outcome, right }
      }
    }
  }
}

/** All texts inside, with their paths. */
function* textsIn(value: unknown, path = ''): Generator<[string, Text]> {
  if (typeof value !== 'object' || value === null) return
  if ('en' in value && 'zh' in value) yield [path, { en: String(value.en), zh: String(value.zh) }]
  else for (const [name, each] of Object.entries(value)) yield* textsIn(each, `${path}/${name}`)
}

const CHINESE = /\p{Script=Han}/u

t.test('every text is there in both languages', async (t) => {
  for (const [path, { en, zh }] of textsIn(EXPERIMENTS)) {
    t.ok(en.trim().length > 0 && !CHINESE.test(en), `${path}: ${en}`)
    t.ok(zh.trim().length > 0, `${path}: ${zh}`)
    if (/\/(claim|question)$/.test(path)) {
      t.match(en, /[.?]$/, path)
      t.match(zh, /[。？]$/, path)
      t.match(zh, CHINESE, path)
    }
  }
})

t.test('names are unique, and what comes next exists', async (t) => {
  const names = EXPERIMENTS.map(({ name }) => name)
  t.equal(new Set(names).size, names.length)
  for (const { name, next, predictions, choices } of EXPERIMENTS) {
    t.match(name, /^[a-z]+(-[a-z]+)*$/)
    t.ok(predictions.length >= 2, `${name} lets people choose`)
    t.equal(new Set(predictions.map(({ id }) => id)).size, predictions.length)
    t.ok(next.length > 0, `${name} leads on`)
    t.ok(
      choices.every(({ options }) => options.length >= 2),
      name,
    )
  }
})

t.test('every outcome is whole: exchanges, one sentence, a script', async (t) => {
  for await (const { name, outcome, right } of outcomes()) {
    t.ok(right.includes(outcome.right), `${name}: one prediction is right`)
    t.ok(outcome.exchanges.length > 0, name)
    for (const index of outcome.compare ?? [])
      t.ok(outcome.exchanges[index], `${name}: compares what is there`)
    const { en, zh } = outcome.verdict
    t.match(en, /^[^\n]+\.$/, name)
    t.equal(en.match(/[.?!](\s|$)/g)?.length, 1, `${name}: one sentence: ${en}`)
    t.match(zh, /^[^。\n]+。$/, `${name}: one sentence: ${zh}`)
    t.match(outcome.curl, /^BASE=\$\{BASE:-http:\/\/127\.0\.0\.1:3000\}\n/, name)
    t.match(outcome.curl, /\n# => .+\n$/, name)
    for (const [path, text] of textsIn(outcome)) t.ok(text.en && text.zh, `${name} ${path}`)
  }
})

t.test('the list and a run speak the language of the request', async (t) => {
  const { list, run } = await startLab(t)
  const english = await list('en')
  const chinese = await list('zh-CN')
  t.match(english.body.data, [{ name: 'two-strangers', number: 1, title: 'Two strangers' }])
  t.match(chinese.body.data, [{ name: 'two-strangers', number: 1, title: '两个陌生人' }])
  const ran = await run('two-strangers', {}, { 'accept-language': 'zh' })
  t.match(ran.body.data, { right: 'no', verdict: /403 NOT_SIGNED_IN/, compare: [0, 1] })
  t.match(ran.body.data, { verdict: CHINESE })
  t.match(ran.body.data, { exchanges: [{ response: { body: /您尚未登录/ } }] })
})
