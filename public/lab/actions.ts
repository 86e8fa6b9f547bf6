import { announce } from '../lib/dom.js'
import { focusOn } from '../lib/painting.js'
import { descriptions, outcome } from './answers.js'
import { call } from './api.js'
import { type Edit, experiment, FRESH, state, update } from './state.js'
import { words } from './words.js'

/** Of the last call of each kind. An earlier one that answers late changes nothing. */
let reads = 0
let runs = 0

/** The names of experiments need no decoding. */
export const nameOfAddress = (): string => location.hash.slice(1)

/** A sentence about a failed call. */
export function faultWords(): string {
  const { fault } = state()
  return fault ? fault.msg || words().noAnswer : ''
}

function fail(fault: NonNullable<ReturnType<typeof state>['fault']>): void {
  update({ fault, busy: false })
  announce('alert', faultWords())
}

/** Reads the list of experiments, in the language of the page. */
export async function load(): Promise<void> {
  reads += 1
  const own = reads
  const answer = await call('/lab/experiments', descriptions)
  if (own !== reads) return
  if (answer.ok) update({ experiments: answer.data, fault: null })
  else fail(answer.fault)
}

/** Shows what the address names. */
export function visit(): void {
  runs += 1
  update({ ...FRESH, name: nameOfAddress(), busy: false })
  // Not by the focus: that would scroll the header away.
  scrollTo(0, 0)
  focusOn('title')
}

/** Runs the experiment of the address. @returns whether there is a new outcome */
async function start(expected: string, edit: Edit | null): Promise<boolean> {
  const { name, choices } = state()
  runs += 1
  const own = runs
  update({ busy: true, fault: null, wrong: null })
  const answer = await call(`/lab/experiments/${name}`, outcome, edit ? { choices, edit } : { choices })
  if (own !== runs) return false
  if (answer.ok) update({ busy: false, draft: null, ran: { outcome: answer.data, expected, edit } })
  else fail(answer.fault)
  return answer.ok
}

async function show(expected: string, edit: Edit | null): Promise<void> {
  announce('status', words().running)
  if (!(await start(expected, edit))) return
  focusOn('result')
  announce('status', state().ran?.outcome.verdict ?? '')
}

/** Runs it. The prediction comes first: without one, nobody learns anything new. */
export async function run(): Promise<void> {
  const { expected, busy } = state()
  if (busy) return
  if (expected !== '') return show(expected, null)
  update({ wrong: 'no-prediction' })
  announce('alert', words().predictFirst)
  focusOn(`prediction-${experiment()?.predictions[0]?.id}`)
}

/** The one character in which two texts differ, or null. */
function oneChange(before: string, after: string): Edit | null {
  if (before.length !== after.length) return null
  const places = [...before].flatMap((char, at) => (char === after[at] ? [] : [at]))
  const [at] = places
  const to = at === undefined ? '' : (after[at] ?? '')
  return at !== undefined && places.length === 1 && /^[ -~]$/.test(to) ? { at, to } : null
}

/** Runs it again, with the character that the learner has changed. */
export async function runEdited(credential: string): Promise<void> {
  const { ran, busy } = state()
  if (busy || !ran) return
  const edit = oneChange(ran.outcome.findings[0]?.value ?? '', credential)
  if (edit) return show(ran.expected, edit)
  update({ wrong: 'not-one-character' })
  announce('alert', words().edit.one)
  focusOn('credential')
}

/** Chooses an option. The outcome of another option would be misleading. */
export function choose(id: string, option: string): void {
  runs += 1
  update({ choices: { ...state().choices, [id]: option }, ran: null, draft: null, fault: null, busy: false })
}

/** After a change of the language: the server's sentences too must be in it. */
export async function translate(): Promise<void> {
  const { ran } = state()
  await load()
  if (ran && state().ran === ran) await start(ran.expected, ran.edit)
}

/** Copies a text, or says that the browser refused. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    announce('status', words().curl.copied)
  } catch {
    announce('alert', words().curl.notCopied)
  }
}
