import { start } from './lib/actions.js'
import { showTimes, startClock } from './lib/clock.js'
import { byId, type Child, h, repaint } from './lib/dom.js'
import { language, t } from './lib/language.js'
import { onChange, state } from './lib/store.js'
import { watch } from './lib/watch.js'
import { accountsView } from './views/accounts.js'
import { apiKeysView } from './views/api-keys.js'
import { devicesView } from './views/devices.js'
import { footView, topView } from './views/frame.js'
import { inspectorView } from './views/inspector.js'
import { meView } from './views/me.js'
import { outcome } from './views/parts.js'
import { passwordView } from './views/password.js'
import { signInView } from './views/sign-in.js'

function fill(id: string, content: Child): void {
  byId(id).replaceChildren(...h('div', {}, content).childNodes)
}

function mainView(): Child {
  const { me, settings, failures } = state()
  if (me) return [outcome('page'), meView(me), devicesView(), apiKeysView(), passwordView(), accountsView()]
  // No form before the first answer says that nobody is signed in.
  return settings || failures.page ? signInView() : h('p', { class: 'lead' }, t().loading)
}

function paint(): void {
  document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en'
  const { me } = state()
  document.title = `${me ? me.user.username : t().signIn.title} · ${t().title}`
  byId('skip').textContent = t().skip
  fill('top', topView())
  fill('main', mainView())
  fill('inspector', inspectorView())
  fill('foot', footView())
  showTimes()
}

onChange(() => repaint(paint))
repaint(paint)
startClock()
watch()
void start()
