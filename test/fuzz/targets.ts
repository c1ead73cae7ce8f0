// All fuzz targets. A group is loaded by itself, so that its coverage is of its own parsers.

import type { FuzzTarget } from './target.ts'

export const groups = ['swarm', 'control', 'trust', 'state', 'packages', 'programs', 'texts'] as const
export type Group = (typeof groups)[number]

export async function targetsIn(group: Group): Promise<FuzzTarget[]> {
  const { targets } = (await import(`./targets/${group}.ts`)) as { targets: FuzzTarget[] }
  return targets
}
