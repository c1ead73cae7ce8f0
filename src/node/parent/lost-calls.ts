// The calls by which a child sends its root what the root has lost.

import { limits } from '../../model/limits.ts'
import { parseJson } from '../../model/parse.ts'
import { type Lost, parseLost } from '../../model/wire/lost.ts'
import { accepted, type ParentCalls } from './parent-calls.ts'

export interface LostCalls {
  /** Whether the parent said, with its last answer to `watch`, that it has lost something. */
  isAny(): boolean
  fetch(): Promise<Lost>
  /** One object that the parent asked for. */
  send(object: Uint8Array): Promise<void>
  /** The metadata that this node trusts, by file name. */
  sendMetadata(files: ReadonlyMap<string, Uint8Array>): Promise<void>
}

export function createLostCalls({ ask, isAny }: Pick<ParentCalls, 'ask'> & { isAny: () => boolean }): LostCalls {
  const post = async (path: string, body: string | Uint8Array) => {
    accepted(await ask({ method: 'POST', path, body, responseMaxBytes: 1024 }), path)
  }
  return {
    isAny,
    async fetch() {
      const reply = await ask({ method: 'GET', path: '/v1/lost', responseMaxBytes: limits.lostAskedMax * 128 })
      return parseLost(parseJson(accepted(reply, 'lost').body, 'lost objects', limits.messageMarksMax), 'lost objects')
    },
    send: (object) => post('/v1/lost', object),
    sendMetadata(files) {
      const decoder = new TextDecoder()
      const texts = [...files].map(([name, bytes]) => [name, decoder.decode(bytes)])
      return post('/v1/metadata', JSON.stringify(Object.fromEntries(texts)))
    },
  }
}
