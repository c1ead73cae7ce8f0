// Targets from outside: in manifests and revisions, and as people write them.

import * as v from 'valibot'
import { Failure } from '../failure.ts'
import { limits } from '../limits.ts'
import { lineSchema, wordSchema } from '../names.ts'
import { whyNot } from '../parse.ts'
import { sortedTarget, type Target } from './target.ts'

/** Every fact has to have this text. */
export const targetSchema = v.pipe(
  v.record(wordSchema, lineSchema, 'expected facts, e.g. { os.codename: bookworm }'),
  v.check((target) => {
    const count = Object.keys(target).length
    return count > 0 && count <= limits.targetFactsMax
  }, `expected one to ${limits.targetFactsMax} facts, e.g. { os.codename: bookworm }`),
)

/** Reads `FACT=VALUE`, or several with commas between them. Throws `bad-input` naming `where`. */
export function parseTarget(texts: readonly string[], where: string): Target {
  const pairs = texts
    .flatMap((text) => text.split(','))
    .map((pair): [string, string] => {
      const [, fact, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? []
      if (fact !== undefined && value !== undefined && value !== '') return [fact, value]
      const what = `${where}: ${JSON.stringify(pair.slice(0, 80))}: expected FACT=VALUE`
      throw new Failure('bad-input', what, { hint: 'e.g. os.codename=bookworm; banyan node-info lists the facts' })
    })
  const twice = pairs.find(([fact], index) => pairs.findIndex(([other]) => other === fact) < index)
  if (twice !== undefined)
    throw new Failure('bad-input', `${where}: ${JSON.stringify(twice[0].slice(0, 80))} is there twice`)
  const result = v.safeParse(targetSchema, Object.fromEntries(pairs))
  if (result.success) return sortedTarget(result.output)
  throw new Failure('bad-input', `${where}: ${whyNot(result.issues)}`)
}
