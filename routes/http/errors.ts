import createError from '@fastify/error'

/** Refusals of the routes. The suite's own errors are in plugins/lib/errors.ts. */
export const BodyInvalid = createError('BODY_INVALID', 'The request does not have the expected form.', 400)
export const NotFound = createError('NOT_FOUND', 'Not found.', 404)
