import type { FastifyInstance } from 'fastify'
import type { ModeName } from '../contract.js'
import { claimCookieName } from '../http/cookie-names.js'
import { type CookieSpec, cookieSpec } from '../http/cookies.js'
import { FreshProofs } from './fresh.js'
import { type BindableMode, ModeDevices } from './mode-devices.js'
import type { DeviceParts } from './parts.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Binds sign-ins of browsers to their devices. Only if the plugin was registered. */
    deviceBinding: DeviceBinding
  }
}

const PREFIX = '__Host-'

/** The modes whose sign-ins can be bound. */
export class DeviceBinding {
  readonly #modes = new Map<string, ModeDevices>()
  /** For guards with `proof: 'now'`. All of them share the count of questions to a browser. */
  readonly freshProofs = new FreshProofs((mode) => this.of(mode))

  constructor(readonly parts: DeviceParts) {}

  get isUsed(): boolean {
    return this.#modes.size > 0
  }

  /** @param spec of the mode's own cookie, which is secure */
  add(name: ModeName, { name: cookie }: CookieSpec): ModeDevices {
    const proof = cookieSpec(`${cookie.slice(PREFIX.length)}_proof`, true)
    const devices = new ModeDevices(this.parts, name, proof)
    this.#modes.set(name, devices)
    return devices
  }

  of(name: string): (ModeDevices & { readonly mode: BindableMode }) | null {
    const devices = this.#modes.get(name)
    return devices && isServed(devices) ? devices : null
  }
}

function isServed(devices: ModeDevices): devices is ModeDevices & { readonly mode: BindableMode } {
  return devices.mode !== null
}

/**
 * Device binding for a mode. Null if the plugin was not registered, or if the mode's cookies are not secure, since no
 * browser binds a sign-in over plain HTTP.
 */
export function devicesFor(app: FastifyInstance, name: ModeName, spec: CookieSpec): ModeDevices | null {
  if (!app.hasDecorator('deviceBinding') || !spec.attributes.secure) return null
  const devices = app.deviceBinding.add(name, spec)
  claimCookieName(app, 'name', devices.spec)
  return devices
}
