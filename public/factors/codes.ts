import { type Child, h } from '../lib/dom.js'
import { state } from '../lib/store.js'
import { button } from '../views/parts.js'
import { copyCodes, hideCodes } from './factor-actions.js'
import { factorTexts } from './text.js'

/** Saves the codes as a file. They never leave the browser. */
function download(codes: readonly string[]): void {
  const { file } = factorTexts().codes
  const address = URL.createObjectURL(new Blob([`${codes.join('\n')}\n`], { type: 'text/plain' }))
  h('a', { href: address, download: file }).click()
  URL.revokeObjectURL(address)
}

/** The new recovery codes. A reload, a sign-out or the last button removes them from the page. */
export function codesView(codes: readonly string[]): HTMLElement {
  const words = factorTexts().codes
  const small = { class: 'small' }
  const buttons: Child = [
    // Browsers offer the clipboard only over HTTPS and on this machine.
    'clipboard' in navigator && button('copy-codes', words.copy, () => copyCodes(codes), small),
    button('print-codes', words.print, () => print(), small),
    button('download-codes', words.download, () => download(codes), small),
    button('hide-codes', words.hide, hideCodes, { class: 'small quiet' }),
  ]
  return h(
    'div',
    { class: 'box good codes', id: 'codes' },
    h('h3', { id: 'codes-title', tabindex: -1 }, words.title),
    // A printed page names the site and the account.
    h('p', { class: 'on-paper' }, `${location.host} · ${state().me?.user.username}`),
    h(
      'ul',
      { class: 'code-list', 'aria-labelledby': 'codes-title' },
      ...codes.map((code) => h('li', {}, h('code', {}, code))),
    ),
    h('p', { class: 'fine' }, words.lead),
    h('div', { class: 'row' }, buttons),
  )
}
