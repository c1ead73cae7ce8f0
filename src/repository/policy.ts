// Compiles a policy into a revision: each version that operators wrote becomes builds, found by
// their digests.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { archInName, type Instant, type PackageName, publishedNameOf } from '../model/names.ts'
import { type PolicyRule, policySchema } from '../model/policy.ts'
import {
  eachBuildOf,
  type PresentWanted,
  parseRevision,
  type Revision,
  type Rule,
  type Terms,
  type Wanted,
} from '../model/revision.ts'
import { rolloutOf } from '../model/rollouts.ts'
import { msOfDuration } from '../model/units/durations.ts'
import { windowOf } from '../model/units/windows.ts'
import { compareVersions } from '../model/versions.ts'
import { didYouMean } from '../model/yaml/nearest.ts'
import { readYaml, refusal, type YamlFile, type YamlPath } from '../model/yaml/yaml.ts'
import { checkedYaml } from '../model/yaml/yaml-check.ts'
import { newestFirst, placeText, wantedBuildsOf } from './builds.ts'
import type { Entries, Entry } from './entries.ts'

export interface CompileOptions {
  /** The policy's file name, as messages show it. */
  file: string
  number: number
  released: Instant
  message: string
}

export interface Compiled {
  revision: Revision
  /**
   * The base list of each group of nodes (or `all`): a file, relative to the policy, and the line
   * that names it.
   */
  base: Record<string, { file: string; line: number }>
  /** Sentences about rules that are allowed and are probably mistakes. */
  warnings: string[]
}

type Catalogue = Pick<Entries, 'all' | 'of' | 'checkWhole'>

/** Throws a Failure whose message starts with `FILE:LINE: ` for every refusal. */
export async function compilePolicy(
  text: Uint8Array | string,
  catalogue: Catalogue,
  options: CompileOptions,
): Promise<Compiled> {
  const yaml = await readYaml(text, { file: options.file, maxBytes: limits.policyMaxBytes, scalars: 'text' })
  const policy = checkedYaml(yaml, policySchema)
  checkCount(policy.rules, yaml)
  const rules = policy.rules.map((rule, index): Rule => {
    checkGroups(rule, ['rules', index], Object.keys(policy.groups), yaml)
    checkTerm('window', rule, index, Object.keys(policy.windows), yaml)
    checkTerm('rollout', rule, index, Object.keys(policy.rollouts), yaml)
    const wanted = Object.entries(rule.packages).map(([name, version]): [PackageName, Wanted] => {
      const refuse = refusalAt(yaml, ['rules', index, 'packages', name])
      if (version === 'absent') return [name, { state: 'absent' }]
      return [name, wantedOf(name, version, { catalogue, refuse, mayDowngrade: rule.downgrade === 'allow' })]
    })
    const terms = termsOf(rule)
    return {
      line: yaml.lineOf(['rules', index]),
      nodes: rule.nodes,
      except: rule.except ?? [],
      packages: Object.fromEntries(wanted),
      ...(Object.keys(terms).length > 0 && { terms }),
    }
  })
  const base = Object.fromEntries(
    Object.entries(policy.base).map(([group, file]) => {
      const line = yaml.lineOf(['base', group])
      if (group !== 'all') checkGroup(group, Object.keys(policy.groups), refusalAt(yaml, ['base', group]))
      return [group, { file, line }]
    }),
  )
  const nodeLimits = policy.limits.map(({ nodes, except = [], ...own }, index) => {
    checkGroups({ nodes, except }, ['limits', index], Object.keys(policy.groups), yaml)
    return { line: yaml.lineOf(['limits', index]), nodes, except, ...own }
  })
  const windows = Object.entries(policy.windows).map(([name, window]) => [name, windowOf(window)])
  const rollouts = Object.entries(policy.rollouts).map(([name, rollout]) => [name, rolloutOf(rollout)])
  const { number, released, message } = options
  const revision = parseRevision(
    {
      ...{ schema: 1, number, released, message, groups: policy.groups, rules },
      ...(windows.length > 0 && { windows: Object.fromEntries(windows) }),
      ...(rollouts.length > 0 && { rollouts: Object.fromEntries(rollouts) }),
      ...(nodeLimits.length > 0 && { limits: nodeLimits }),
    },
    'the revision',
  )
  const size = Buffer.byteLength(JSON.stringify(revision))
  if (size > limits.objectMaxBytes) {
    const what = `its revision is ${size} bytes, over the limit of ${limits.objectMaxBytes}`
    throw new Failure('too-large', `${options.file}:1: ${what}`, { hint: 'write fewer rules, for larger groups' })
  }
  return { revision, base, warnings: warningsOf(revision, options.file, Object.keys(base)) }
}

type Refuse = (message: string, hint?: string) => Failure

function refusalAt(yaml: YamlFile, path: YamlPath): Refuse {
  return (message, hint) => refusal(yaml.file, yaml.lineOf(path), message, hint)
}

function checkCount(rules: readonly PolicyRule[], yaml: YamlFile): void {
  let count = 0
  for (const [index, rule] of rules.entries()) {
    count += Object.keys(rule.packages).length
    if (count <= limits.policyPackagesMax) continue
    throw refusalAt(yaml, ['rules', index])(`more than ${limits.policyPackagesMax} packages in all rules together`)
  }
}

function checkGroups(
  rule: Pick<PolicyRule, 'nodes' | 'except'>,
  path: YamlPath,
  known: readonly string[],
  yaml: YamlFile,
): void {
  for (const key of ['nodes', 'except'] as const) {
    for (const [place, group] of [rule[key] ?? []].flat().entries()) {
      if ((key === 'nodes' && rule.nodes === 'all') || known.includes(group)) continue
      const refuse = refusalAt(yaml, [...path, key, place])
      if (group === 'all') throw refuse('all is not a group', 'write nodes: all, without brackets')
      checkGroup(group, known, refuse)
    }
  }
}

function checkGroup(group: string, known: readonly string[], refuse: Refuse): void {
  if (known.includes(group)) return
  const hint = didYouMean(group, known) ?? (known.length === 0 ? 'no groups are defined under groups:' : undefined)
  throw refuse(`there is no group ${group}`, hint ?? `the groups are ${listOf([...known].sort())}`)
}

function checkTerm(
  key: 'window' | 'rollout',
  { [key]: name }: PolicyRule,
  index: number,
  known: readonly string[],
  yaml: YamlFile,
): void {
  if (name === undefined || known.includes(name)) return
  const refuse = refusalAt(yaml, ['rules', index, key])
  const none = `no ${key}s are defined under ${key}s:`
  throw refuse(
    `there is no ${key} ${name}`,
    didYouMean(name, known) ?? (known.length === 0 ? none : `the ${key}s are ${listOf([...known].sort())}`),
  )
}

function termsOf({ window, rollout, urgent, background, restart, mode, ignore, timeout, keep }: PolicyRule): Terms {
  return {
    ...(window !== undefined && { window }),
    ...(rollout !== undefined && { rollout }),
    ...(String(urgent) === 'true' && { urgent: true as const }),
    ...(String(background) === 'true' && { background: true as const }),
    ...(restart !== undefined && { restart: [...new Set(restart)] }),
    ...(mode === 'audit' && { mode }),
    ...(ignore !== undefined && { ignore: [...new Set(ignore)] }),
    ...(timeout !== undefined && { hookTimeoutMs: msOfDuration(timeout) }),
    ...(keep !== undefined && { keep: Number(keep) }),
  }
}

interface WantedParts {
  catalogue: Catalogue
  refuse: Refuse
  mayDowngrade: boolean
}

/** `latest` and `>= VERSION` keep what is newer on a machine, unless the rule says otherwise. */
function wantedOf(name: PackageName, text: string, { catalogue, refuse, mayDowngrade }: WantedParts): Wanted {
  const least = /^>= ?(.+)$/.exec(text)?.[1]
  if (least === undefined) {
    const wanted = presentOf(name, text, catalogue, refuse)
    return text === 'latest' && !mayDowngrade ? { ...wanted, orNewer: true } : wanted
  }
  const wanted = presentOf(name, 'latest', catalogue, refuse)
  const entries = catalogue.of(publishedNameOf(name))
  const builds = eachBuildOf(wanted).map(({ build }) => build)
  const old = builds.find(({ manifest, version }) => {
    const kind = entries.find((entry) => entry.manifest === manifest)?.body.kind
    return kind !== undefined && compareVersions(kind, version, least) < 0
  })
  const epoch = builds.find(({ version }) => /^\d+:/.test(version))?.version
  if (epoch !== undefined && !/^\d+:/.test(least)) {
    // Every version with an epoch is newer than this, which nobody means.
    const told = epoch.slice(0, epoch.indexOf(':') + 1)
    throw refuse(`${epoch} of ${name} has an epoch, and ${least} has none`, `write '>= ${told}${least}'`)
  }
  if (old !== undefined) {
    throw refuse(`the newest published ${name} is ${old.version}, older than ${least}`, 'banyan publish a newer one')
  }
  return mayDowngrade ? wanted : { ...wanted, orNewer: true, least }
}

function presentOf(name: PackageName, version: string, catalogue: Catalogue, refuse: Refuse): PresentWanted {
  const published = publishedNameOf(name)
  catalogue.checkWhole(published)
  const all = catalogue.of(published)
  if (all.length === 0) throw nothingPublished(published, catalogue, refuse)
  const entries = entriesFor(name, all, refuse)
  if (version === 'latest') return { state: 'present', ...wantedBuildsOf(entries, refuse) }
  const exact = entries.filter((entry) => entry.body.version === version)
  if (exact.length > 0) return { state: 'present', ...wantedBuildsOf(exact, refuse) }
  const there = [...new Set([...entries].sort(newestFirst).map((entry) => entry.body.version))]
  throw refuse(
    `version ${version} of ${name} is not published; there is ${listOf(there)}`,
    didYouMean(version, there) ?? `banyan publish it first`,
  )
}

/** The builds that a name means: of `libfo:i386`, those for i386. */
function entriesFor(name: PackageName, entries: readonly Entry[], refuse: Refuse): Entry[] {
  const arch = archInName(name)
  if (arch === undefined) return [...entries]
  const fitting = entries.filter(({ body }) => body.arch === arch && body.kind !== 'tree')
  if (fitting.length > 0) return fitting
  const [published, archs] = [publishedNameOf(name), new Set(entries.map(({ body }) => body.arch))]
  if (entries.every(({ body }) => body.kind === 'tree')) {
    throw refuse(`${published} is a tree, and a machine has one tree of a name`, `write ${published}`)
  }
  throw refuse(`nothing is published of ${published} for ${arch}; there is ${listOf([...archs].sort())}`)
}

function nothingPublished(name: PackageName, catalogue: Catalogue, refuse: Refuse): Failure {
  const names = new Set(catalogue.all().map((entry) => entry.body.name))
  const hint = didYouMean(name, names)
  if (hint !== undefined) return refuse(`nothing is published of a package ${name}`, hint)
  return refuse(
    `nothing is published of a package ${name}`,
    'banyan publish it first; banyan packages lists what is there',
  )
}

function warningsOf(revision: Revision, file: string, base: readonly string[]): string[] {
  const warnings: string[] = []
  const inRules = [...revision.rules, ...(revision.limits ?? [])].flatMap((rule) => [
    ...(rule.nodes === 'all' ? [] : rule.nodes),
    ...rule.except,
  ])
  const used = new Set([...inRules, ...base])
  for (const group of Object.keys(revision.groups)) {
    if (!used.has(group)) warnings.push(`${file}: no rule uses the group ${group}`)
  }
  for (const { line, nodes, except, packages } of revision.rules) {
    const names = Object.entries(packages)
    if (names.length === 0) warnings.push(`${file}:${line}: the rule names no packages`)
    if (nodes !== 'all' && nodes.every((group) => except.includes(group))) {
      warnings.push(`${file}:${line}: the rule is for no node: its groups are all excepted`)
    }
    for (const [name, wanted] of names) {
      const builds = eachBuildOf(wanted)
      if (new Set(builds.map(({ build }) => build.version)).size > 1) {
        const list = builds
          .map(({ arch, target, build }) => `${build.version} for ${placeText(arch, target)}`)
          .join(', ')
        warnings.push(`${file}:${line}: the newest ${name} is not the same everywhere: ${list}`)
      }
    }
  }
  for (const key of ['window', 'rollout'] as const) {
    const named = new Set(revision.rules.map(({ terms }) => terms?.[key]))
    for (const name of Object.keys(revision[`${key}s`] ?? {})) {
      if (!named.has(name)) warnings.push(`${file}: no rule uses the ${key} ${name}`)
    }
  }
  return warnings
}

const listedMax = 10

function listOf(words: readonly string[]): string {
  const rest = words.length - listedMax
  return rest > 0 ? `${words.slice(0, listedMax).join(', ')} and ${rest} more` : words.join(', ')
}
