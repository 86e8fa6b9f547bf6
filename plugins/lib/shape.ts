/*
 * Checks of values from outside. Only the part of TypeBox that the suite's own formats need, under its names: the
 * library would be a quarter of the package's size and half of its import time.
 */

/** Tells whether a value is a T. */
export type Check<T> = (value: unknown) => value is T

/** The type that a check accepts. */
export type Static<C> = C extends Check<infer T> ? T : never

type Fields = Readonly<Record<string, Check<unknown>>>
type OptionalName<F extends Fields> = { [N in keyof F]: undefined extends Static<F[N]> ? N : never }[keyof F]
type ObjectOf<F extends Fields> = { [N in Exclude<keyof F, OptionalName<F>>]: Static<F[N]> } & {
  [N in OptionalName<F>]?: Static<F[N]>
}

/** An object that is no list, such as one of JSON. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

interface TextLimits {
  /** In UTF-16 units. */
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
}

function text({ minLength = 0, maxLength = Infinity, pattern }: TextLimits = {}): Check<string> {
  const form = pattern === undefined ? null : new RegExp(pattern, 'u')
  return (value): value is string =>
    typeof value === 'string' &&
    value.length >= minLength &&
    value.length <= maxLength &&
    (form === null || form.test(value))
}

interface NumberLimits {
  readonly minimum: number
  readonly maximum?: number
}

function integer({ minimum, maximum = Infinity }: NumberLimits): Check<number> {
  return (value): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum
}

function object<F extends Fields>(
  fields: F,
  { additionalProperties = true }: { readonly additionalProperties?: boolean } = {},
): Check<ObjectOf<F>> {
  const entries = Object.entries(fields)
  return (value): value is ObjectOf<F> =>
    isObject(value) &&
    entries.every(([name, check]) => check(Reflect.get(value, name))) &&
    (additionalProperties || Object.keys(value).every((name) => Object.hasOwn(fields, name)))
}

export const Type = Object.freeze({
  String: text,
  Integer: integer,
  Object: object,
  Boolean: (value: unknown): value is boolean => typeof value === 'boolean',
  Null: (value: unknown): value is null => value === null,
  Unknown: (_value: unknown): _value is unknown => true,
  Literal:
    <const L extends string | number>(literal: L) =>
    (value: unknown): value is L =>
      value === literal,
  /** A field that may be omitted. */
  Optional:
    <T>(check: Check<T>) =>
    (value: unknown): value is T | undefined =>
      value === undefined || check(value),
  Union:
    <A, B>([one, other]: readonly [Check<A>, Check<B>]) =>
    (value: unknown): value is A | B =>
      one(value) || other(value),
  Array:
    <T>(each: Check<T>) =>
    (value: unknown): value is T[] =>
      Array.isArray(value) && value.every((item) => each(item)),
  /** An object with any names. */
  Record:
    <T>(each: Check<T>) =>
    (value: unknown): value is Record<string, T> =>
      isObject(value) && Object.values(value).every((item) => each(item)),
})
