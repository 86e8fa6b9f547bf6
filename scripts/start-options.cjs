// Options of `fastify start`, read after it has loaded `.env`, so that the server listens where the
// application believes it does. Without an address fastify-cli picks every interface inside a container.
const { HOST, PORT, LOG_LEVEL } = process.env

// The logger is made before the application checks its environment: an unknown level is refused there.
const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

module.exports = {
  address: HOST || '127.0.0.1',
  port: Number(PORT || 3000),
  logLevel: LEVELS.includes(LOG_LEVEL ?? '') ? LOG_LEVEL : 'info',
  // Milliseconds for the requests that are being answered when the stop signal comes; 500 by default.
  closeGraceDelay: 10_000,
  // Milliseconds for the start: 10 s by default, which is short for one that waits while another migrates.
  pluginTimeout: 90_000,
}
