import t from 'tap'
import { EXPERIMENTS } from '../../../routes/lab/experiments.js'
import type { Text } from '../../../routes/lab/text.js'
import { startLab } from './lab-server.js'
import { answersOf, IN, runAll } from './outcomes.js'

const runs = runAll()

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
  for (const { name, outcome, ids } of await runs) {
    t.ok(ids.includes(outcome.right), `${name}: one prediction is right`)
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

/** By experiment and option: the right prediction, and all answers. */
const EXPECTED: Readonly<Record<string, readonly [right: string, ...answers: string[]]>> = {
  'two-strangers': ['no', '403 NOT_SIGNED_IN', '403 NOT_SIGNED_IN'],
  'three-ways cookie': ['nothing', '403 NOT_SIGNED_IN', IN.cookie, IN.cookie],
  'three-ways session': ['session', '403 NOT_SIGNED_IN', IN.session, IN.session],
  'three-ways token': ['nothing', '403 NOT_SIGNED_IN', IN.token, IN.token],
  'tutorial-cookie': ['tutorial', '200', '200', IN.cookie, IN.cookie, '403 CREDENTIAL_INVALID'],
  'read-without-a-key cookie': ['read', IN.cookie, IN.cookie, '403 CREDENTIAL_INVALID'],
  'read-without-a-key session': ['read', IN.session, IN.session, '403 CREDENTIAL_INVALID'],
  'read-without-a-key token': ['read', IN.token, IN.token, '403 TOKEN_INVALID'],
  'password-in-the-claims password': ['refused', '500 CLAIM_SENSITIVE'],
  'password-in-the-claims card': ['refused', '500 CLAIM_SENSITIVE'],
  'password-in-the-claims team': ['readable', '200'],
  'all-at-once': [
    'route',
    IN.token,
    '201',
    IN.cookie,
    IN.session,
    '200 api_key',
    IN.token,
    IN.session,
    IN.cookie,
    IN.session,
    '403 TOKEN_INVALID',
  ],
  'forged-tokens none': ['signature', IN.token, IN.token, '403 TOKEN_INVALID'],
  'forged-tokens other-key': ['signature', IN.token, IN.token, '403 TOKEN_INVALID'],
  'forged-tokens other-audience': ['audience', IN.token, IN.token, IN.token, '403 TOKEN_INVALID'],
  'time-passes cookie': ['expired', IN.cookie, '403 NOT_SIGNED_IN', '403 CREDENTIAL_EXPIRED'],
  'time-passes token': ['expired', IN.token, '403 TOKEN_EXPIRED', IN.token, IN.token],
  'time-passes renewal': ['in', IN.cookie, IN.cookie, IN.cookie],
  'time-passes closed': ['nothing', IN.session, '403 NOT_SIGNED_IN'],
  'time-passes remembered': ['in', IN.session, IN.session],
}

t.test('the suite answers each experiment as its verdict says', async (t) => {
  const seen = (await runs).filter(({ name }) => name in EXPECTED)
  for (const { name, outcome } of seen) t.same([outcome.right, ...answersOf(outcome)], EXPECTED[name], name)
  t.equal(seen.length, Object.keys(EXPECTED).length)
})

t.test('a code that a verdict names is one that an answer has', async (t) => {
  for (const { name, outcome } of await runs) {
    const codes = Object.values(outcome.verdict).flatMap((text) => text.match(/[A-Z]+_[A-Z_]+/g) ?? [])
    const bodies = outcome.exchanges.map(({ response }) => response.body).join()
    for (const code of codes) t.ok(bodies.includes(code), `${name}: ${code}`)
  }
})

t.test('another server asks a store about a session, and about nothing else', async (t) => {
  const all = await runs
  const asked = (mode: string) => {
    const ran = all.find(({ name }) => name === `three-ways ${mode}`)
    return ran?.outcome.exchanges.at(-1)?.asked.map(({ of, what }) => `${of}: ${what.en}`)
  }
  const list = 'memory: Looked in the list of ended sign-ins. Each server keeps it in memory.'
  const use = 'store: Noted the last use of the sign-in, at most once a minute.'
  t.same(asked('cookie'), [list, use])
  t.same(asked('token'), [list, use])
  t.same(asked('session'), ['store: Looked up the session by its id.', list, use])
})

t.test('a renewed cookie is another one', async (t) => {
  const renewal = (await runs).find(({ name }) => name === 'time-passes renewal')
  const set = renewal?.outcome.exchanges.map(({ response }) =>
    response.headers.some(([name, value]) => name === 'set-cookie' && value.startsWith('identity=v1')),
  )
  t.same(set, [true, true, true])
})

t.test('what anybody reads in a credential has no secret of another credential', async (t) => {
  const reads = (await runs).filter(({ name }) => name.startsWith('read-without-a-key'))
  for (const { name, outcome } of reads) {
    const read = outcome.findings[1]?.value ?? ''
    if (name.endsWith('session')) t.match(read, /^[\w-]{43}$/, 'a random id')
    else
      t.match(JSON.parse(read.replace(/^\{[^{}]*\}\n(?=\{)/, '')), { username: 'user1', role: 'user' }, name)
    t.notMatch(read, /user123/, name)
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

t.test('the script is for the running server', async (t) => {
  const { origin, run } = await startLab(t)
  const { body } = await run('two-strangers')
  t.match(body.data, { curl: `BASE=\${BASE:-${origin}}\n` })
})

t.test('any one character of a credential may be changed, and none to any avail', async (t) => {
  const { run } = await startLab(t)
  for (const mode of ['cookie', 'session', 'token']) {
    for (const edit of [
      { at: 0, to: 'x' },
      { at: 20, to: ';' },
      { at: 21, to: ' ' },
      { at: 22, to: '.' },
      { at: 30, to: '"' },
    ]) {
      const { status, body } = await run('read-without-a-key', { choices: { mode }, edit })
      t.equal(status, 200)
      t.match(
        body.data,
        { right: 'read', verdict: /refused with 40[03] [A-Z_]+\.$/ },
        `${mode} ${JSON.stringify(edit)}`,
      )
    }
  }
  const same = await run('read-without-a-key', { choices: { mode: 'cookie' }, edit: { at: 0, to: 'v' } })
  t.match(same.body.data, { verdict: /this edit changed nothing/ })
  const behind = await run('read-without-a-key', {
    choices: { mode: 'session' },
    edit: { at: 4000, to: 'v' },
  })
  t.equal(behind.status, 400)
  t.equal(behind.body.error, 'BODY_INVALID')
})

t.test('an option that is not listed is refused', async (t) => {
  const { run } = await startLab(t)
  for (const mode of ['basic', '', 'constructor', '__proto__']) {
    const { status, body } = await run('three-ways', { choices: { mode } })
    t.equal(status, 400, mode)
    t.equal(body.error, 'BODY_INVALID', mode)
  }
})
