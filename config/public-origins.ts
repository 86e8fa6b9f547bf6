/**
 * The origins at which clients reach this server. On a developer's machine, `localhost` and `127.0.0.1` are both.
 * @param publicUrl checked: an origin
 */
export function originsAt(publicUrl: string): readonly string[] {
  const isLocal = new URL(publicUrl).hostname === 'localhost'
  return isLocal ? [publicUrl, publicUrl.replace('localhost', '127.0.0.1')] : [publicUrl]
}
