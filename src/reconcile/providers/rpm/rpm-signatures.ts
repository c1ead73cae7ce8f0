// Machines that take only signed packages, by the settings of rpm, dnf or zypper. Whichever of the
// three demands it, a package is judged here and not by each of them in its own way. Pure.

import { isOn, type RpmSettings } from './rpm-settings.ts'

/**
 * The setting that demands signatures, for people. Undefined if none does. `level` is rpm's macro
 * `_pkgverify_level`.
 */
export function signaturesDemandedBy(
  level: string,
  { dnf, zypp }: Pick<RpmSettings, 'dnf' | 'zypp'>,
): string | undefined {
  if (level === 'all' || level === 'signature') return `%_pkgverify_level ${level} of rpm`
  if (isOn(dnf.get('localpkg_gpgcheck'))) return 'localpkg_gpgcheck in dnf.conf'
  return isOn(zypp.get('pkg_gpgcheck')) ? 'pkg_gpgcheck in zypp.conf' : undefined
}

/** Reads the lines of `rpm -Kv` about a package that rpm does not pass. */
export function signatureProblemIn(text: string, demandedBy: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  const demanded = `this machine takes only signed packages (${demandedBy})`
  const keys = lines.flatMap((line) => /key ID (\w+): NOKEY/i.exec(line)?.[1] ?? [])
  if (keys.length > 0) {
    return `the package is signed with key ${keys[0]}, which the machine does not know: rpm --import would add it; ${demanded}`
  }
  const bad = lines.find((line) => /: (BAD|NOTTRUSTED)\b/.test(line))
  if (bad !== undefined) return `the package does not verify: ${bad}; ${demanded}`
  return `the package has no signature, and ${demanded}`
}
