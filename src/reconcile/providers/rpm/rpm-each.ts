// Questions to rpm about many packages, asked so that one package that rpm cannot read does not
// spoil the answer about the others.

import { Failure } from '../../../model/failure.ts'
import type { RunResult } from '../../../world/world.ts'
import { doubtIn } from './rpm-answers.ts'

export interface EachAnswer {
  /** rpm's own text about the packages that it could read. */
  text: string
  /** Why a package could not be read, by the word that it was asked for. */
  unread: ReadonlyMap<string, string>
  /** Why rpm could not look up packages, although it could list them all. */
  damage?: string
}

/**
 * Asks for all at once, and in halves if rpm complains. Throws `program-failed` for complaints that
 * are about rpm's database and no single package.
 */
export async function askEach(
  ask: (words: readonly string[]) => Promise<RunResult>,
  words: readonly string[],
  { what, harmless }: { what: string; harmless?: RegExp },
): Promise<EachAnswer> {
  const texts: string[] = []
  const unread = new Map<string, string>()
  const groups = words.length === 0 ? [] : [[...words]]
  for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
    const result = await ask(group)
    const doubt = doubtIn(result, harmless)
    if (doubt === undefined) texts.push(result.stdout)
    else if (!doubt.isOfPackages) throw failureOf(what, doubt.why)
    else if (group.length === 1) unread.set(group[0] as string, `rpm cannot read its entry: ${doubt.why}`)
    else {
      const half = Math.ceil(group.length / 2)
      groups.push(group.slice(0, half), group.slice(half))
    }
  }
  return { text: texts.join(''), unread }
}

export function failureOf(what: string, why: string): Failure {
  return new Failure('program-failed', `${what}: ${why}`, { retry: 'later' })
}
