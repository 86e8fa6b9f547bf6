import { createSecretKey, randomUUID } from 'node:crypto'
import express from 'express'
import jsonwebtoken from 'jsonwebtoken'
import { createClient } from 'redis'
import { place, required, SECRET, TOKEN_TTL } from '../lib/environment.js'
import { userInfo } from '../lib/profile.js'

// As its README has it, but for the key: with a string in its place each verification takes fifty times as long.
const key = createSecretKey(Buffer.from(SECRET))
const client = createClient({ url: required('REDIS_URL') })
await client.connect()
const app = express()

app.post('/sign_in', express.json(), (request, response) => {
  const { username } = request.body
  response.json({
    token: jsonwebtoken.sign({ username }, key, { expiresIn: TOKEN_TTL, jwtid: randomUUID() }),
  })
})

/** Who the token is for, or null. */
async function recognise(authorization: string | undefined): Promise<string | null> {
  const [scheme, token = ''] = authorization?.split(' ') ?? []
  if (scheme !== 'Bearer') return null
  const payload = verify(token)
  if (payload === null || typeof payload.username !== 'string') return null
  return (await client.exists(`denied:${payload.jti}`)) === 0 ? payload.username : null
}

function verify(token: string): jsonwebtoken.JwtPayload | null {
  try {
    const payload = jsonwebtoken.verify(token, key)
    return typeof payload === 'string' ? null : payload
  } catch {
    return null
  }
}

app.get('/user_info', async (request, response) => {
  const username = await recognise(request.headers.authorization)
  if (username === null) response.status(401).json({ code: 401 })
  else response.json(userInfo(username, 'token'))
})

const { port, host } = place()
app.listen(port, host)
