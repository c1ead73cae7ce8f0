// The needs that a release would leave unmet, counted over the nodes that have them. Pure.

import { limits } from '../../model/limits.ts'
import type { NodeName, PackageName, PackageVersion } from '../../model/names.ts'
import { namesIn } from '../../model/needs.ts'
import type { Revision, Rule } from '../../model/revision.ts'
import type { Need } from './audiences.ts'

/** Something that a package needs and that nodes would not have. */
export interface Unmet {
  package: PackageName
  version: PackageVersion
  /** In the package's own words: `libfoo (>= 2) | libbar`. */
  needs: string
  /** Line of the rule that wants the package, in policy.yaml. */
  line: number
  rule: Pick<Rule, 'nodes' | 'except'>
  /** How many known nodes would lack it; 0 if no known node is in the groups of the rule. */
  count: number
  /** The first of these nodes, at most `limits.findingsNamedMax`. */
  nodes: NodeName[]
  /**
   * `missing`: it will not be there, because a base list does not name it or because only the
   * repository has it. `unknown`: no base list covers these nodes, or the need is a file, which no
   * base list names.
   */
  state: 'missing' | 'unknown'
  /** The published package that would bring it; null if there is none. */
  published: PackageName | null
}

export interface UnmetNeeds {
  /** Counts a need of one node; `node` is null for a rule whose groups have no known node. */
  add(need: Need, hasBase: boolean, node: NodeName | null): void
  /** Missing needs first, then by package and line. */
  sorted(): Unmet[]
}

export function createUnmetNeeds(revision: Revision): UnmetNeeds {
  const found = new Map<string, Unmet>()
  return {
    add(need, hasBase, node) {
      const { name, version, line } = need.wanted
      const state = stateOf(need, hasBase)
      const key = [name, version, need.clause, line, state].join('\n')
      const known = found.get(key) ?? unmetBy(need, state, revision)
      found.set(key, known)
      if (node === null) return
      known.count += 1
      if (known.nodes.length < limits.findingsNamedMax) known.nodes.push(node)
    },
    sorted: () =>
      [...found.values()].sort((a, b) => compare(a.state, b.state) || compare(a.package, b.package) || a.line - b.line),
  }
}

function stateOf({ kind, clause, bringer }: Need, hasBase: boolean): Unmet['state'] {
  const isFile = namesIn(kind, clause).every((each) => each.startsWith('/'))
  return bringer !== null || (hasBase && !isFile) ? 'missing' : 'unknown'
}

function unmetBy({ wanted, clause, bringer }: Need, state: Unmet['state'], revision: Revision): Unmet {
  const { name, version, line } = wanted
  const rule = revision.rules.find((each) => each.line === line)
  return {
    ...{ package: name, version, needs: clause, line, state, published: bringer, count: 0, nodes: [] },
    rule: { nodes: rule?.nodes ?? 'all', except: rule?.except ?? [] },
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
