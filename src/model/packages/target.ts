// Targets: the machines that a build of a package is for, by their facts. One name and version may
// have a build for each of several distributions.

import { own } from './records.ts'

/** Every fact has to have this text. */
export type Target = Record<string, string>

/** The fact that tells which package manager a machine has: `deb` or `rpm`. */
export const packagesFact = 'os.packages'

type Facts = Readonly<Record<string, string | number | boolean>>

/** `os.codename=bookworm,os.distro=debian`, in the order of the names. Empty without a target. */
export function targetText(target: Readonly<Record<string, string | undefined>> | undefined): string {
  const facts = Object.entries(target ?? {}).map(([fact, value]) => `${fact}=${value}`)
  return facts.sort().join(',')
}

/** The same facts in the order of their names, so that equal targets have equal bytes. */
export function sortedTarget(target: Target): Target {
  return Object.fromEntries(Object.entries(target).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}

/** Whether a machine is one of those that a target is for. */
export function isTargeted(target: Target, facts: Facts): boolean {
  return Object.entries(target).every(
    ([fact, value]) => Object.hasOwn(facts, fact) && String(own(facts, fact)) === value,
  )
}

/** Whether one machine could be of both targets. */
export function canMeet(a: Target, b: Target): boolean {
  return Object.entries(a).every(([fact, value]) => !Object.hasOwn(b, fact) || own(b, fact) === value)
}
