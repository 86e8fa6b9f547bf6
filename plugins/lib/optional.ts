import { DependencyMissing } from './errors.js'

function isNotFound(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND'
}

/**
 * Loads a package that only some installations have (`npm install --omit=optional`).
 * @param feature what needs it, as the error names it
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
