import { start } from './lib/actions.js'
import { MODES } from './lib/answers.js'
import { showTimes, startClock } from './lib/clock.js'
import { byId, type Child, fill } from './lib/dom.js'
import { language, t } from './lib/language.js'
import { secondStep, signedIn } from './lib/later.js'
import { repaint } from './lib/painting.js'
import { offerPasskeys } from './lib/passkey-offer.js'
import { renew } from './lib/renewal.js'
import { onChange, state, update } from './lib/store.js'
import { loadTexts, type Texts, useTexts } from './lib/texts.js'
import { noteSignedIn } from './lib/unkept.js'
import { watch } from './lib/watch.js'
import { footView, topView } from './views/frame.js'
import { inspectorView } from './views/inspector.js'
import { isChecked } from './views/parts.js'
import { signInView } from './views/sign-in.js'

function mainView(): Child {
  const { me, second } = state()
  if (me) return signedIn().mainView(me)
  return (second && secondStep.get()?.secondStepView(second)) ?? signInView()
}

/** The HTML says that the page is busy, until the server has said who is there. */
function showReady(): void {
  const { me, settings, failures } = state()
  if (settings) noteSignedIn(me !== null)
  if (settings || failures.page) byId('main').removeAttribute('aria-busy')
}

/** Somebody may have chosen a way before this script ran. */
function keepChoice(): void {
  const chosen = MODES.find((mode) => isChecked(`way-${mode}`))
  if (chosen) update({ chosen })
}

/** On the old buttons too, so that those that are otherwise the same stay. */
function showBusy(busy: boolean): void {
  document.documentElement.toggleAttribute('data-busy', busy)
  for (const each of document.querySelectorAll('#main [aria-disabled]')) {
    each.setAttribute('aria-disabled', String(busy))
  }
}

function paint(): void {
  document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en'
  const { me, busy, view } = state()
  byId('columns').dataset.view = view
  document.title = `${me ? me.user.username : t().signIn.title} · ${t().title}`
  byId('skip').textContent = t().skip
  fill('top', topView())
  showBusy(busy)
  renew(byId('main'), mainView())
  fill('inspector', inspectorView())
  fill('foot', footView())
  showReady()
  showTimes()
  offerPasskeys()
}

export async function startPage(texts: Texts): Promise<void> {
  useTexts(texts)
  await loadTexts()
  keepChoice()
  onChange(paint)
  repaint(paint)
  startClock()
  watch()
  await start()
}
