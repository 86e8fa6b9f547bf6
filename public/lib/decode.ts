/** Checks outside data and returns it as a T, or throws. */
export type Decoder<T> = (value: unknown) => T

function wrong(wanted: string): never {
  throw new TypeError(`The answer is not of the form that was expected: no ${wanted}.`)
}

export const text: Decoder<string> = (value) => (typeof value === 'string' ? value : wrong('text'))
export const number: Decoder<number> = (value) => (typeof value === 'number' ? value : wrong('number'))
export const flag: Decoder<boolean> = (value) => (typeof value === 'boolean' ? value : wrong('flag'))
export const anything: Decoder<unknown> = (value) => value

export const orNull =
  <T>(decode: Decoder<T>): Decoder<T | null> =>
  (value) =>
    value === null || value === undefined ? null : decode(value)

export const listOf =
  <T>(decode: Decoder<T>): Decoder<readonly T[]> =>
  (value) =>
    Array.isArray(value) ? value.map(decode) : wrong('list')

export const oneOf =
  <T extends string>(...names: readonly T[]): Decoder<T> =>
  (value) =>
    names.find((name) => name === value) ?? wrong(names.join(', '))

/** An object with these fields. Other fields are dropped. */
export const shape =
  <T extends object>(fields: { readonly [K in keyof T]: Decoder<T[K]> }): Decoder<T> =>
  (value) => {
    if (typeof value !== 'object' || value === null) return wrong('object')
    const entries = Object.entries<Decoder<unknown>>(fields)
    return Object.fromEntries(entries.map(([name, decode]) => [name, decode(Reflect.get(value, name))])) as T
  }

/** Any object, as pairs. */
export const pairs: Decoder<readonly (readonly [string, unknown])[]> = (value) =>
  typeof value === 'object' && value !== null ? Object.entries(value) : wrong('object')
