import { loadOptional } from '../../optional.js'

/**
 * Loads everything of the suite that needs ioredis. An application without Redis need not install that package,
 * and does not spend time on loading it.
 * @throws DEPENDENCY_MISSING
 */
export const loadRedis = () => loadOptional('ioredis', () => import('./open.js'), 'Redis')
