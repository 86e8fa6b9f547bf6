import { factorsView } from './factors/panel.js'
import type { Child } from './lib/dom.js'
import type { State } from './lib/store.js'
import { accountsView } from './views/accounts.js'
import { apiKeysView } from './views/api-keys.js'
import { devicesView } from './views/devices.js'
import { meView } from './views/me.js'
import { outcome } from './views/parts.js'
import { passwordView } from './views/password.js'
import { profileView } from './views/profile.js'

/* The part of the page for a signed-in user. It is loaded after a sign-in, so that the first load is small. */

export { tellFewCodes } from './factors/factor-actions.js'
export { loadDevices, loadPanels } from './lib/panels.js'
export { credentialView } from './views/credential.js'

export function mainView(me: NonNullable<State['me']>): Child {
  return [
    outcome('page'),
    meView(me),
    devicesView(),
    profileView(me.user),
    factorsView(),
    apiKeysView(),
    passwordView(),
    accountsView(),
  ]
}
