import { byId, type Child, fill, h } from '../lib/dom.js'
import { brand } from '../lib/elements.js'
import { language } from '../lib/language.js'
import { languages } from '../lib/languages.js'
import { repaint } from '../lib/painting.js'
import { load, nameOfAddress, translate, visit } from './actions.js'
import { CLAIMS_NAME } from './claims.js'
import { experiment, note, onChange, state } from './state.js'
import { experimentView, faultView } from './views/experiment.js'
import { claimsView, listView } from './views/list.js'
import { button } from './views/parts.js'
import { words } from './words.js'

function topView(): Child {
  return [
    brand(words().title),
    h('a', { href: '/', class: 'docs' }, words().home),
    languages(words().language, translate),
  ]
}

function mainView(): Child {
  const { experiments, fault, name } = state()
  if (!experiments)
    return fault
      ? [faultView(), button('again', words().again, load)]
      : h('p', { class: 'lead' }, words().loading)
  const shown = experiment()
  if (shown) return experimentView(shown)
  return name === CLAIMS_NAME ? claimsView() : listView()
}

function titleOf(): string {
  const shown = experiment()
  if (shown) return shown.title
  return state().name === CLAIMS_NAME ? words().claims.title : words().list.title
}

function paint(): void {
  document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en'
  document.title = `${titleOf()} · ${words().title}`
  byId('skip').textContent = words().skip
  fill('top', topView())
  fill('main', mainView())
  if (state().experiments || state().fault) byId('main').removeAttribute('aria-busy')
  const { text, href } = words().guide
  fill('foot', [h('p', {}, words().foot), h('p', {}, h('a', { href }, text))])
}

/** The part behind `#` names an experiment, so this link must not change it. */
function skip(event: Event): void {
  event.preventDefault()
  byId('main').focus()
}

onChange(() => repaint(paint))
window.addEventListener('hashchange', visit)
byId('skip').addEventListener('click', skip)
note({ name: nameOfAddress() })
repaint(paint)
void load()
