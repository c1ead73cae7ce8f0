// Refuses a release that would leave nodes without something that their packages need, and words
// what is missing.

import { dirname, resolve } from 'node:path'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Manifest } from '../../model/manifest.ts'
import type { Sha256 } from '../../model/names.ts'
import type { Offers } from '../../model/needs.ts'
import { parseBaseList } from '../../repository/base-list.ts'
import type { Compiled } from '../../repository/policy.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Disk } from '../../world/world.ts'
import type { Draft } from '../drafts.ts'
import { type Closure, createClosure } from './closure.ts'
import type { Unmet } from './unmet-needs.ts'

export interface ClosureParts {
  repository: Pick<Repository, 'holdings'>
  disk: Pick<Disk, 'read'>
  policyFile: string
}

/** Everything published, by the digest of its manifest. */
export async function publishedManifests(parts: Pick<ClosureParts, 'repository'>): Promise<Map<Sha256, Manifest>> {
  const holdings = await parts.repository.holdings()
  return new Map(holdings.map(({ manifest, manifestBody }) => [manifest, manifestBody]))
}

/**
 * Null for a draft whose dependencies are not checked. Throws `bad-input`, as `FILE:LINE: ...`, for
 * its base lists.
 */
export async function closureFor(
  { disk, policyFile }: Pick<ClosureParts, 'disk' | 'policyFile'>,
  { revision, base }: Pick<Draft, 'revision' | 'base'>,
  manifests: ReadonlyMap<Sha256, Manifest>,
): Promise<Closure | null> {
  if (base === null) return null
  return createClosure({ revision, manifests, base: await readBaseLists(disk, policyFile, base) })
}

/** What the distribution of each group brings along, by group. */
async function readBaseLists(
  disk: Pick<Disk, 'read'>,
  policyFile: string,
  base: Compiled['base'],
): Promise<Map<string, Offers>> {
  const lists = new Map<string, Offers>()
  for (const [group, { file, line }] of Object.entries(base)) {
    const path = resolve(dirname(policyFile), file)
    try {
      const bytes = await disk.read(path, { maxBytes: limits.baseListMaxBytes })
      lists.set(group, parseBaseList(new TextDecoder().decode(bytes), path))
    } catch (error) {
      if (!(error instanceof Failure) || error.code === 'bad-input') throw error
      throw new Failure('bad-input', `${policyFile}:${line}: the base list of ${group}: ${error.message}`, {
        hint: 'docs/policy.md says how one is written on such a node',
      })
    }
  }
  return lists
}

/**
 * Throws `missing-dependencies` if something is missing, unless a person allowed it. Otherwise
 * returns one sentence for each missing need, and one sentence for all the needs of which nobody
 * knows whether they are met.
 */
export function checkClosure(unmet: readonly Unmet[], allowed: boolean, policyFile: string): string[] {
  const missing = unmet.filter(({ state }) => state === 'missing')
  const unknown = unmet.filter(({ state }) => state === 'unknown')
  const shown = missing.slice(0, limits.unmetNamedMax).map((one) => unmetText(one, policyFile))
  const more = missing.length - shown.length
  if (missing.length > 0 && !allowed) {
    const rest = more > 0 ? `; and ${more} more` : ''
    throw new Failure('missing-dependencies', `${shown.join('; ')}${rest}`, { hint: hintFor(missing) })
  }
  const warnings = more > 0 ? [...shown, `${more} more dependencies are missing; see banyan plan`] : shown
  const [first] = unknown
  if (first === undefined) return warnings
  const others = unknown.length > 1 ? ` and ${unknown.length - 1} more` : ''
  const what = `whether ${nodesText(first)} ${first.needs} for ${first.package} ${first.version}${others} is not known`
  return [
    ...warnings,
    `${policyFile}:${first.line}: ${what}; base: in the policy says what the distribution brings along`,
  ]
}

/** `policy.yaml:12: shop 4.2 needs libfoo, which 2 nodes would not have: a, b (nodes: [web])` */
function unmetText(one: Unmet, policyFile: string): string {
  const { count, nodes, rule } = one
  const others = count - nodes.length
  const who =
    count === 0
      ? 'the nodes of its rule would not have'
      : `${count === 1 ? '1 node' : `${count} nodes`} would not have: ${nodes.join(', ')}${others > 0 ? ` and ${others} more` : ''}`
  const of = rule.nodes === 'all' ? 'all' : `[${rule.nodes.join(', ')}]`
  const except = rule.except.length === 0 ? '' : `, except: [${rule.except.join(', ')}]`
  return `${policyFile}:${one.line}: ${one.package} ${one.version} needs ${one.needs}, which ${who} (nodes: ${of}${except})`
}

function nodesText({ count, nodes }: Unmet): string {
  return count === 0 ? 'the nodes of its rule have' : count === 1 ? `${nodes[0]} has` : `${count} nodes have`
}

function hintFor(missing: readonly Unmet[]): string {
  const there = [...new Set(missing.flatMap(({ published }) => published ?? []))].slice(0, limits.findingsNamedMax)
  const add = there.length > 0 ? `the repository has ${there.join(', ')}: add it to the rule; or ` : ''
  return `${add}publish what is missing, add it to the base list if these nodes have it, or release with --allow-missing-dependencies`
}
