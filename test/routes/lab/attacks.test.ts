import { createHash } from 'node:crypto'
import t from 'tap'
import type { Outcome } from '../../../routes/lab/experiment.js'
import { EXPERIMENTS } from '../../../routes/lab/experiments.js'
import { Lab } from '../../../routes/lab/world.js'
import { answersOf, IN, runAll } from './outcomes.js'

const NAMES = [
  'copy-after-sign-out',
  'refresh-twice',
  'planted-session-id',
  'other-site',
  'injected-script',
  'cart-in-the-session',
  'two-servers',
  'another-secret',
  'guess-a-password',
  'copied-jar',
  'code-twice',
]
const runs = runAll(NAMES)

const OUT = '403 SIGNED_OUT'
const GUESSES = [...Array(10).fill('401 CREDENTIALS_REFUSED'), '429 THROTTLED', '429 THROTTLED']
const ASKED = '401 SECOND_FACTOR_REQUIRED'
const POSTED = [IN.cookie, '403 CROSS_SITE', IN.cookie, IN.cookie]

/** By experiment and option: the right prediction, and all answers. */
const EXPECTED: Readonly<Record<string, readonly [right: string, ...answers: string[]]>> = {
  'copy-after-sign-out cookie': ['refused', IN.cookie, IN.cookie, IN.cookie, OUT],
  'copy-after-sign-out session': ['refused', IN.session, IN.session, IN.session, OUT],
  'copy-after-sign-out token': ['refused', IN.token, IN.token, IN.token, OUT],
  'copy-after-sign-out tutorial': ['works', '200', '200', '200', '200'],
  'refresh-twice within': ['same', IN.token, IN.token, IN.token],
  'refresh-twice after': ['theft', IN.token, IN.token, '401 REFRESH_REFUSED', OUT, '401 REFRESH_REFUSED'],
  'planted-session-id issued': ['victim', '200', IN.session, IN.session, OUT],
  'planted-session-id invented': ['victim', IN.session, IN.session, '403 CREDENTIAL_INVALID'],
  'planted-session-id careless': ['both', '200', '200', '200', '200'],
  'other-site form': ['both', ...POSTED],
  'other-site link': ['check', ...POSTED],
  'other-site old': ['check', ...POSTED],
  'injected-script cookie': ['act', IN.cookie, IN.cookie, IN.cookie, '200', '403 NOT_SIGNED_IN'],
  'injected-script session': ['act', IN.cookie, IN.session, IN.session, '200', '403 NOT_SIGNED_IN'],
  'injected-script storage': ['steal', IN.cookie, IN.token, IN.token, '200', IN.token],
  'injected-script refresh-cookie': ['steal', IN.cookie, IN.token, IN.token, IN.token, '200', IN.token],
  'cart-in-the-session': ['until-sign-out', '200', IN.session, '200', IN.session, '200'],
  'two-servers apart cookie': ['never', IN.cookie, OUT, IN.cookie, OUT, '200', '200', '200'],
  'two-servers apart session': ['never', IN.session, OUT, IN.session, OUT, '200', '200', '200'],
  'two-servers apart token': ['never', IN.token, OUT, IN.token, OUT, '200', '200', '200'],
  'two-servers shared cookie': ['until', IN.cookie, IN.cookie, IN.cookie, OUT],
  'two-servers shared session': ['until', IN.session, IN.session, IN.session, OUT],
  'two-servers shared token': ['until', IN.token, IN.token, IN.token, OUT],
  'another-secret replaced cookie': ['out', IN.cookie, IN.cookie, '403 CREDENTIAL_INVALID'],
  'another-secret replaced session': ['out', IN.session, IN.session, '403 CREDENTIAL_INVALID'],
  'another-secret replaced token': ['out', IN.token, IN.token, '403 TOKEN_INVALID'],
  'another-secret deploys cookie': ['in', ...Array(5).fill(IN.cookie)],
  'another-secret deploys session': ['in', ...Array(5).fill(IN.session)],
  'another-secret deploys token': ['in', ...Array(7).fill(IN.token)],
  'code-twice later': ['refused', ASKED, IN.cookie, ASKED, '401 FACTOR_REFUSED', IN.cookie],
  'code-twice at-once': ['refused', ASKED, ASKED, '401 FACTOR_REFUSED', IN.cookie, IN.cookie],
  'guess-a-password new': ['later', ...GUESSES, '429 THROTTLED', IN.cookie, IN.cookie],
  'guess-a-password known': ['in', IN.cookie, IN.cookie, ...GUESSES, IN.cookie],
  'copied-jar binds': [
    'refused',
    IN.cookie,
    '200',
    IN.cookie,
    '403 DEVICE_PROOF_REQUIRED',
    '403 Forbidden',
    '200',
    IN.cookie,
    IN.cookie,
    '401 Unauthorized',
    OUT,
  ],
  'copied-jar cannot': ['works', ...Array(5).fill(IN.cookie), OUT],
}

t.test('the suite answers each experiment as its verdict says', async (t) => {
  for (const { name, outcome } of await runs)
    t.same([outcome.right, ...answersOf(outcome)], EXPECTED[name], name)
  t.equal((await runs).length, Object.keys(EXPECTED).length)
})

async function outcomeOf(name: string): Promise<Outcome> {
  const ran = (await runs).find((each) => each.name === name)
  if (!ran) throw new Error(`no run is called ${name}`)
  return ran.outcome
}

/** The value of a finding by its English label. */
async function found(name: string, label: string): Promise<string> {
  const { findings } = await outcomeOf(name)
  const finding = findings.find((each) => each.label.en === label)
  if (!finding) throw new Error(`${name} finds no ${label}`)
  return finding.value
}

t.test('a copy is refused from memory: no store is asked', async (t) => {
  for (const mode of ['cookie', 'session', 'token']) {
    const { exchanges } = await outcomeOf(`copy-after-sign-out ${mode}`)
    t.same(
      exchanges.at(-1)?.asked.map(({ of }) => of),
      ['memory'],
      mode,
    )
  }
})

t.test('the entry of an ended sign-in stays as long as the experiment says', async (t) => {
  const lab = new Lab('en')
  const system = lab.system()
  lab.system = () => system
  const experiment = EXPERIMENTS.find(({ name }) => name === 'copy-after-sign-out')
  const outcome = await experiment?.run(lab, { mode: 'cookie' }, null).finally(() => lab.close())
  const [copy, , entry] = outcome?.findings ?? []
  const payload = JSON.parse(Buffer.from(copy?.value.split('.')[2] ?? '', 'base64url').toString())
  const [signInId, until = ''] = entry?.value.split('\n') ?? []
  t.equal(signInId, payload.sid)
  const ref = { accountId: payload.sub, signInId: payload.sid, epoch: payload.epoch, generation: payload.gen }
  const { store } = system
  t.equal(await store.isLive(ref), false)
  // A sweep leaves an entry for an hour longer, because clocks differ.
  const goes = Date.parse(until) + 3_600_000
  await store.sweep(goes - 1)
  t.equal(await store.isLive(ref), false, 'until then')
  await store.sweep(goes)
  t.equal(await store.isLive(ref), true, 'and no longer')
})

t.test('the same refresh token gets the same next token, and a late one counts as theft', async (t) => {
  const name = 'refresh-twice within'
  t.equal(
    await found(name, 'The next token, the first time'),
    await found(name, 'The next token, the second time'),
  )
  t.match(
    await found('refresh-twice after', 'What the server’s audit log says'),
    /refresh_reuse_detected\nsign_in_ended$/,
  )
})

t.test('only the careless server keeps a planted id', async (t) => {
  for (const kind of ['issued', 'invented', 'careless']) {
    const name = `planted-session-id ${kind}`
    const isKept =
      (await found(name, 'The planted id')) === (await found(name, 'The victim’s id after the login'))
    t.equal(isKept, kind === 'careless', kind)
    const { exchanges } = await outcomeOf(name)
    if (kind === 'invented') t.same(exchanges.at(-1)?.asked, [], 'an invented id reaches no store')
  }
})

t.test('the cookie goes with a link and from an old browser, and not with a form', async (t) => {
  const label = 'Cookie header from the other site'
  t.equal(await found('other-site form', label), '–')
  t.match(await found('other-site link', label), /identity=v1/)
  t.match(await found('other-site old', label), /identity=v1/)
})

t.test('a script reads the token in localStorage, and no cookie', async (t) => {
  for (const place of ['cookie', 'session', 'storage', 'refresh-cookie']) {
    const name = `injected-script ${place}`
    t.equal(await found(name, 'What it reads in document.cookie'), '""', place)
    const stored = await found(name, 'What it reads in localStorage')
    t.match(stored, place === 'storage' ? /^access token: ey/ : /^–$/, place)
    const ended = (await outcomeOf(name)).exchanges.find(({ request }) => request.method === 'DELETE')
    t.match(ended?.response.body, /"ended":1\b/, `${place}: the phone is signed out`)
  }
})

t.test('the store sees a hash of the id and sealed data', async (t) => {
  const name = 'cart-in-the-session'
  const pairs = [
    ['Session cookie of the visitor', 'The visitor’s session in the store'],
    ['Session cookie after the sign-in', 'The session after the sign-in, in the store'],
  ] as const
  for (const [cookie, record] of pairs) {
    const [, , id = ''] = (await found(name, cookie)).split('.')
    const stored = await found(name, record)
    t.equal(JSON.parse(stored).key, createHash('sha256').update(id).digest('base64url'))
    t.match(JSON.parse(stored).sealed, /^v1\./)
    t.notMatch(stored, /tea/)
    t.notMatch(stored, id)
  }
})

t.test('the copied jar has the proof, and its refusal asks no store', async (t) => {
  for (const [browser, hasProof] of [
    ['binds', true],
    ['cannot', false],
  ] as const) {
    const copy = await found(`copied-jar ${browser}`, 'The copied cookies')
    t.match(copy, /^__Host-identity=v1\./)
    t.equal(/; __Host-identity_proof=v1\./.test(copy), hasProof, browser)
  }
  const { exchanges, compare } = await outcomeOf('copied-jar binds')
  const { asked, response } = exchanges[compare?.[1] ?? 0] ?? {}
  t.notOk(asked?.some(({ of }) => of === 'store'))
  t.notOk(response?.headers.some(([name]) => name === 'set-cookie'))
})

t.test('guesses are throttled for a minute', async (t) => {
  for (const device of ['new', 'known'])
    t.equal(await found(`guess-a-password ${device}`, 'Retry-After, in seconds'), '60')
})
