import { DependencyMissing } from './errors.js'

/** Also checks the message: with loader hooks (tsx, ts-node) Node's error has no code. */
function isNotFound(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : ''
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return true
  return /^Cannot find (package|module) /.test(error.message)
}

/**
 * Loads an optional package (`npm install --omit=optional`).
 * @param feature the feature that needs it, named in the error
 * @throws DEPENDENCY_MISSING if the package or its native binary is not installed
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
