import t from 'tap'
import { createLocalApi } from '../../src/node/local-api.ts'
import type { LocalApiParts } from '../../src/node/local-handlers.ts'

/** For calls that end before any part of the node is asked. */
const nobody = new Proxy({}, { get: () => nobody }) as LocalApiParts

t.test('a call that is not there or not readable is bad input and no failure of the daemon', async (t) => {
  const answer = createLocalApi(nobody)
  const get = (path: string) =>
    answer({ method: 'GET', path, query: {}, body: Buffer.alloc(0), signal: new AbortController().signal })
  await t.rejects(get('/nothing'), { code: 'not-found' })
  await t.rejects(get('/nodes/%'), { code: 'bad-input', message: '/nodes/%: the name is not percent-encoded UTF-8' })
})
