import { DependencyMissing } from './errors.js'

/** Checks the message as well: with loader hooks (tsx, ts-node) Node's error has no code. */
function isNotFound(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : ''
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return true
  return /^Cannot find (package|module) /.test(error.message)
}

/**
 * Loads a package that only some installations have (`npm install --omit=optional`).
 * @param feature the feature that needs it, named in the error
 * @throws DEPENDENCY_MISSING when it, or the binary that it is built on, is not installed
 */
export async function loadOptional<T>(
  pkg: string,
  load: () => Promise<T>,
  feature = 'fastify-identity',
): Promise<T> {
  try {
    return await load()
  } catch (error) {
    throw isNotFound(error) ? new DependencyMissing(feature, pkg, pkg) : error
  }
}
