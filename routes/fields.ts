import { Type } from '@fastify/type-provider-typebox'

/**
 * A password that somebody chooses, in code points. How long it may be is said by name (`PASSWORD_REFUSED`), up
 * to a bound. What is no well-formed text could not be told from another of its kind once it is hashed.
 */
export const newPassword = Type.String({ maxLength: 4096, pattern: '^\\P{Surrogate}*$' })
