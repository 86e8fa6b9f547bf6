export { t, tSignedIn } from './texts.js'

export type Language = 'en' | 'zh'

/** A preference, not a credential, so it may stay in localStorage. */
const KEY = 'language'

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}

function firstChoice(): Language {
  // The server has chosen the HTML by the browser's languages.
  const wanted = remembered() ?? document.documentElement.lang
  return wanted.startsWith('zh') ? 'zh' : 'en'
}

let current: Language = firstChoice()

export const language = (): Language => current

export function chooseLanguage(wanted: Language): void {
  current = wanted
  try {
    localStorage.setItem(KEY, wanted)
  } catch {
    // A browser without storage chooses again next time.
  }
}

const locale = () => (current === 'zh' ? 'zh-CN' : 'en-GB')

/** Making a formatter takes longer than all other work on a row of a list, so each is made once. */
const formatters = new Map<Language, ReturnType<typeof makeFormatters>>()

function makeFormatters() {
  return {
    moment: new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }),
    day: new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' }),
    fromNow: new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }),
  }
}

function format() {
  const made = formatters.get(current) ?? makeFormatters()
  formatters.set(current, made)
  return made
}

/** A moment, as date and time of day. */
export function moment(time: string | number): string {
  return format().moment.format(new Date(time))
}

export function day(time: string): string {
  return format().day.format(new Date(time))
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const

/** The distance of a moment from now, in words. */
export function fromNow(time: string): string {
  const seconds = Math.round((Date.parse(time) - Date.now()) / 1000)
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? (['second', 1] as const)
  const value = unit === 'second' ? 0 : Math.round(seconds / size)
  return format().fromNow.format(value, unit)
}

/** Seconds as hours, or as days if they are many, in words. */
export function lasting(seconds: number): string {
  const [unit, size] = seconds >= 2 * 86_400 ? (['day', 86_400] as const) : (['hour', 3600] as const)
  const words = { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 1 } as const
  return new Intl.NumberFormat(locale(), words).format(seconds / size)
}

/** Seconds as 1:05 or 2:00:05. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds))
  const parts = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60]
  const shown = parts[0] === 0 ? parts.slice(1) : parts
  return shown.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':')
}
