import { OptionInvalid } from '../errors.js'
import { type Known, refuseUnknown } from '../options.js'
import type { DeviceSettings } from './parts.js'

export interface DeviceBindingOptions {
  /**
   * `on`: sign-ins are bound in browsers with the feature, and work as before in others. `required`: a sign-in that is
   * not bound after 75 seconds is refused, so people with other browsers must sign in again and again.
   */
  readonly mode: 'on' | 'required'
  /** The two routes for browsers are `<path>/register` and `<path>/refresh`. Defaults to `/device`. */
  readonly path?: string
  /**
   * A browser renews no proof for these paths, such as `/static`, and for all paths below them. A guard there still
   * requires one. Defaults to none.
   */
  readonly exclude?: readonly string[]
  /**
   * Whether the answer to a sign-out has `Clear-Site-Data: "storage"`, so that the browser forgets its key at once. The
   * header also deletes the site's storage: localStorage, service workers, and IndexedDB with a client's DPoP key.
   * Without it, the browser forgets the key at its next refresh. The server refuses an ended sign-in in both cases.
   * Defaults to false.
   */
  readonly clearSiteData?: boolean
}

const OPTIONS: Known<DeviceBindingOptions> = {
  mode: true,
  path: true,
  exclude: true,
  clearSiteData: true,
}

/** Only characters that need no escape in a header or an address. */
const PATH = /^(?:\/[\w.~-]+)+$/

function checkPath(name: string, path: string): string {
  if (typeof path !== 'string' || !PATH.test(path) || path.split('/').some((part) => /^\.\.?$/.test(part)))
    throw new OptionInvalid(name, 'wants a path of this server, such as /device')
  return path
}

/** @throws OPTION_INVALID */
export function checkDeviceOptions(options: DeviceBindingOptions): DeviceSettings {
  refuseUnknown(options, OPTIONS)
  const { mode, path = '/device', exclude = [], clearSiteData = false } = options
  if (mode !== 'on' && mode !== 'required') throw new OptionInvalid('mode', 'wants "on" or "required"')
  if (!Array.isArray(exclude)) throw new OptionInvalid('exclude', 'wants a list of paths')
  if (typeof clearSiteData !== 'boolean') throw new OptionInvalid('clearSiteData', 'wants true or false')
  const excluded = Object.freeze(exclude.map((each) => checkPath('exclude', each)))
  return Object.freeze({
    isRequired: mode === 'required',
    path: checkPath('path', path),
    excluded,
    clearSiteData,
  })
}
