import createError from '@fastify/error'

/** What the routes refuse by themselves; the suite's own errors are in plugins/lib/errors.ts. */
export const BodyInvalid = createError(
  'BODY_INVALID',
  'The request is not of the form that is expected here.',
  400,
)
export const NotFound = createError('NOT_FOUND', 'There is nothing here.', 404)
