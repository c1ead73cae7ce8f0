// The demo's story: a tree is planted; software is published, released, replaced, broken by hand
// and removed.

import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure } from '../../model/failure.ts'
import type { NodeName, PackageName } from '../../model/names.ts'
import type { Report } from '../../model/report.ts'
import { systemClock } from '../../world/clock.ts'
import { systemExec } from '../../world/exec.ts'
import { homeIn, newestReport, type Screen, watchTree } from './live.ts'
import { type DemoResult, resultOf, type Step } from './table.ts'
import type { Tree } from './tree.ts'

const project = fileURLToPath(new URL('../../../', import.meta.url))
const sites = ['berlin', 'oslo'] as const
const clientsPerSite = 3
const stepTimeoutMs = 120_000
// Slow enough to watch the transfers, and fast enough to wait for them.
const rootUploadBytesPerSecond = 16 * 1024 * 1024

interface Story {
  tree: Tree
  screen: Screen
  /** The converged steps so far; `waitForStep` adds to them. */
  steps: Step[]
}

/**
 * Throws a Failure if a command fails; a step that does not converge in time is part of the result.
 */
export async function runStory(tree: Tree, screen: Screen): Promise<DemoResult> {
  const story: Story = { tree, screen, steps: [] }
  await plantNodes(story)
  const everywhere = await releaseFirst(story)
  await releaseSecond(story)
  await breakAndHeal(story)
  await removePackage(story, everywhere)
  const reports: Report[] = []
  for (const name of tree.nodes.keys()) reports.push(await newestReport(tree, name))
  return resultOf(story.steps, reports, 'root')
}

async function plantNodes(story: Story): Promise<void> {
  const { tree, screen } = story
  screen.title('A root, two staging servers at two sites, three clients at each: nine daemons')
  await tree.plant({
    name: 'root',
    site: 'headquarters',
    parent: null,
    settings: { uploadLimit: rootUploadBytesPerSecond },
  })
  const token = await onRoot(story, 'token', 'create', '--uses', '8')
  await Promise.all(sites.map((site) => tree.plant({ name: site, site, parent: 'root', token })))
  await Promise.all(
    sites.flatMap((site) =>
      Array.from({ length: clientsPerSite }, (_, index) =>
        tree.plant({ name: `${site}-${index + 1}`, site, parent: site, token, labels: [`place=${site}`] }),
      ),
    ),
  )
  screen.say(`${tree.nodes.size} nodes run below ${tree.folder}`)
}

/** Resolves with the packages that every node is to have. */
async function releaseFirst(story: Story): Promise<PackageName[]> {
  const { tree, screen } = story
  screen.title('Publish real software and release it')
  const compiler = await typeCheckerPackage()
  await onRoot(story, 'publish', compiler.folder, '--name', 'typescript', '--version', compiler.version)
  await onRoot(story, 'publish', sample('greeter-1.0.0'), sample('shop-4.1.0'))
  const deb = await debPackage(tree.folder)
  if (deb === null) screen.say('no dpkg-deb here, so no .deb in this demo')
  else await onRoot(story, 'publish', deb)
  const everywhere = ['typescript', 'greeter', ...(deb === null ? [] : ['lantern'])]
  await writePolicy(story, everywhere, ['  - nodes: [berlin]', '    packages: { shop: latest }'])
  await onRoot(story, 'release', '-m', 'first release')
  await waitForStep(story, 'first release', 1)
  return everywhere
}

async function releaseSecond(story: Story): Promise<void> {
  story.screen.title('A second version')
  await onRoot(story, 'publish', sample('greeter-2.0.0'), sample('shop-4.2.0'))
  await onRoot(story, 'release', '-m', 'second version')
  await waitForStep(story, 'second version', 2)
}

async function breakAndHeal(story: Story): Promise<void> {
  const { tree, screen } = story
  screen.title('Somebody breaks a client by hand')
  const victim: NodeName = 'oslo-2'
  const machine = tree.nodes.get(victim)?.targetRoot ?? ''
  await rm(path.join(machine, 'opt/greeter/current/bin/greet'))
  screen.say(`${victim}: /opt/greeter/current/bin/greet is gone`)
  screen.say(`$ banyan apply (on ${victim})`)
  const applied = await tree.banyan(['apply', '--home', homeIn(tree, victim)])
  if (applied.code !== 0) screen.say(applied.stderr.trim())
  await waitForStep(story, 'drift corrected', 2, (report) => report.node !== victim || hasHealed(report))
}

async function removePackage(story: Story, everywhere: readonly PackageName[]): Promise<void> {
  story.screen.title('A package is no longer wanted')
  await writePolicy(story, everywhere, [])
  await onRoot(story, 'release', '-m', 'no shop any more', '--allow-removals')
  await waitForStep(story, 'package removed', 3)
}

/**
 * Runs a command of `banyan` on the root's home and resolves with its output. Throws a Failure
 * unless it ends with 0.
 */
async function onRoot({ tree, screen }: Story, ...args: string[]): Promise<string> {
  screen.say(`$ banyan ${args.join(' ')}`)
  const { code, stdout, stderr } = await tree.banyan([...args, '--home', homeIn(tree, 'root')])
  if (code !== 0) throw new Failure('program-failed', `banyan ${args[0]} ended with ${code}: ${stderr.trim()}`)
  return stdout.trim()
}

/** The newest version of packages for every node, and further rules. */
async function writePolicy(
  { tree }: Story,
  everywhere: readonly PackageName[],
  rules: readonly string[],
): Promise<void> {
  const lines = [
    'groups:',
    '  berlin: { site: berlin }',
    'rules:',
    '  - nodes: all',
    `    packages: { ${everywhere.map((name) => `${name}: latest`).join(', ')} }`,
    ...rules,
    '',
  ]
  await writeFile(path.join(homeIn(tree, 'root'), 'policy.yaml'), lines.join('\n'))
}

/** Waits until every node has converged to a revision and its report fits, or the time is up. */
async function waitForStep(
  { tree, screen, steps }: Story,
  name: string,
  revision: number,
  isDone: (report: Report) => boolean = () => true,
): Promise<void> {
  const since = systemClock.monotonicMs()
  const converged = await watchTree({ tree, screen, revision, isDone, timeoutMs: stepTimeoutMs })
  const late = [...tree.nodes.keys()].filter((node) => !converged.includes(node))
  const seconds = Math.round((systemClock.monotonicMs() - since) / 100) / 10
  steps.push({ name, revision, seconds, converged, late })
  screen.say(`${converged.length} of ${tree.nodes.size} nodes converged to revision ${revision} after ${seconds} s`)
  if (late.length > 0) screen.say(`late: ${late.join(', ')}`)
}

function sample(name: string): string {
  return path.join(project, 'torrents', 'packages', name)
}

function hasHealed(report: Report): boolean {
  return report.packages.some(
    (each) => each.name === 'greeter' && each.outcome === 'changed' && each.difference === 'drift',
  )
}

/**
 * The type checker that `npm ci` brought: over 20 MB of real software, the same bytes on every
 * machine of one kind.
 */
async function typeCheckerPackage(): Promise<{ folder: string; version: string }> {
  const folder = path.join(project, 'node_modules', '@typescript', `typescript-linux-${process.arch}`)
  const text = await readFile(path.join(folder, 'package.json'), 'utf8').catch((error) => {
    throw new Failure('not-found', `${folder} is not there`, { hint: 'run npm ci first', cause: error })
  })
  return { folder, version: (JSON.parse(text) as { version: string }).version }
}

async function debPackage(folder: string): Promise<string | null> {
  if ((await systemExec.which('dpkg-deb')) === undefined) return null
  const source = path.join(folder, 'lantern')
  await mkdir(source, { recursive: true })
  await cp(path.join(project, 'torrents', 'debs', 'lantern'), source, { recursive: true })
  const file = path.join(folder, 'lantern.deb')
  const args = ['--root-owner-group', '-Zgzip', '-b', source, file]
  const built = await systemExec.run({ program: 'dpkg-deb', args, timeoutMs: 30_000 })
  if (built.code !== 0) throw new Failure('program-failed', `dpkg-deb: ${built.stderr.trim()}`)
  return file
}
