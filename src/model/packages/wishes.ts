// Whether a revision lets a node want a package, by what the node has signed about itself. Pure.

import { limits } from '../limits.ts'
import { type Arch, archInName, type Labels, type NodeName, type Sha256 } from '../names.ts'
import { eachBuildOf, type Revision, type Rule, type Selector } from '../revision.ts'
import { own } from './records.ts'

/** What the newest report of a node says of it. */
export interface SignedTraits {
  name: NodeName
  /** Of its settings; empty without one there. */
  site: string
  arch: Arch
  labels: Labels
  /** A report has room for some of the facts only. */
  facts: Readonly<Record<string, string | number | boolean>>
}

/** For each manifest that a revision names, who may want it. */
export type Wishes = ReadonlyMap<Sha256, readonly Wish[]>

interface Wish {
  groups: Revision['groups']
  rule: Pick<Rule, 'nodes' | 'except'>
  arch: Arch
}

export function wishesIn({ groups, rules, earlier = [] }: Pick<Revision, 'groups' | 'rules' | 'earlier'>): Wishes {
  const wishes = new Map<Sha256, Wish[]>()
  for (const part of [{ groups, rules }, ...earlier]) {
    for (const rule of part.rules) {
      for (const [name, wanted] of Object.entries(rule.packages)) {
        for (const { arch, build } of eachBuildOf(wanted)) {
          const known = wishes.get(build.manifest) ?? []
          known.push({ groups: part.groups, rule, arch: archInName(name) === undefined ? arch : 'all' })
          wishes.set(build.manifest, known)
        }
      }
    }
  }
  return wishes
}

/**
 * Whether some rule, of now or of an earlier revision, gives this package to such a node. Later
 * rules, waves and windows are left out: they change from hour to hour, and a node may keep for a
 * while what an earlier rule gave it. What a report does not say may be anything.
 */
export function mayWant(wishes: Wishes, traits: SignedTraits, manifest: Sha256): boolean {
  return (wishes.get(manifest) ?? []).some(({ groups, rule, arch }) => {
    const isIn = (name: string, unknown: boolean) => {
      const selector = own(groups, name)
      return selector !== undefined && isSelected(selector, traits, unknown)
    }
    if (arch !== 'all' && traits.arch !== 'all' && arch !== traits.arch) return false
    if (rule.nodes !== 'all' && !rule.nodes.some((name) => isIn(name, true))) return false
    return !rule.except.some((name) => isIn(name, false))
  })
}

/** `unknown`: what a fact that the report lacks counts as. */
function isSelected(
  { site, names, labels = {}, facts = {} }: Selector,
  traits: SignedTraits,
  unknown: boolean,
): boolean {
  if (site !== undefined && ![site].flat().includes(traits.site)) return false
  if (names !== undefined && !names.includes(traits.name)) return false
  if (Object.entries(labels).some(([key, value]) => own(traits.labels, key) !== value)) return false
  return Object.entries(facts).every(([key, value]) => {
    const fact = own(traits.facts, key)
    // Cut off at the length that a line of a report may have.
    const isCut = typeof fact === 'string' && fact.length >= limits.textMaxChars
    return fact === undefined || isCut ? unknown : String(fact) === String(value)
  })
}
