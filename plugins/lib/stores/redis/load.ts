import { loadOptional } from '../../optional.js'

/** Loads the modules that need ioredis. An application without Redis need not install it. @throws DEPENDENCY_MISSING */
export const loadRedis = () => loadOptional('ioredis', () => import('./open.js'), 'Redis')
