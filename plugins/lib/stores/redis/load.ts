import { loadOptional } from '../../optional.js'

/**
 * All of the suite that needs ioredis, loaded when it is asked for: an application that uses no Redis need not have
 * the package, and does not wait for it.
 * @throws DEPENDENCY_MISSING
 */
export const loadRedis = () => loadOptional('ioredis', () => import('./with-driver.js'), 'Redis')
