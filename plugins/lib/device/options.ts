import { OptionInvalid } from '../errors.js'
import { type Known, refuseUnknown } from '../options.js'
import type { DeviceSettings } from './parts.js'

export interface DeviceBindingOptions {
  /**
   * `on`: browsers that can are bound. `required`: 75 seconds after a sign-in, only bound ones are admitted, so that people
   * with other browsers must sign in again and again.
   */
  readonly mode: 'on' | 'required'
  /** Of the browser's two routes: `<path>/register` and `<path>/refresh`. Defaults to `/device`. */
  readonly path?: string
  /**
   * Paths, such as `/static`, for which a browser renews no proof, nor for those below them. A guard there still asks for one.
   * Defaults to none.
   */
  readonly exclude?: readonly string[]
  /**
   * Whether the answer to a sign-out has `Clear-Site-Data: "storage"`, by which a browser forgets its key at once. It also
   * deletes the site's storage: IndexedDB with a client's DPoP key, localStorage, service workers. Without it, the browser
   * learns at its next refresh that the sign-in is over. The server refuses it in any case. Defaults to false.
   */
  readonly clearSiteData?: boolean
}

const OPTIONS: Known<DeviceBindingOptions> = {
  mode: true,
  path: true,
  exclude: true,
  clearSiteData: true,
}

/** Segments without anything that a header or a browser could read in another way. */
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
