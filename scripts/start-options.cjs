// Options of `fastify start`. It reads them after `.env`, so that server and application agree on the address.
// Without an address, fastify-cli listens on every interface inside a container.
const { HOST, PORT, LOG_LEVEL } = process.env

// Fastify makes the logger before the application checks its environment and refuses an unknown level.
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

module.exports = {
  address: HOST || '127.0.0.1',
  port: Number(PORT || 3000),
  logLevel: LEVELS.includes(LOG_LEVEL ?? '') ? LOG_LEVEL : 'info',
  // Milliseconds for requests that are under way when the stop signal comes. The default is 500.
  closeGraceDelay: 10_000,
  // Milliseconds for the start. The default of 10 s is too short if another instance is migrating the database.
  pluginTimeout: 90_000,
}
