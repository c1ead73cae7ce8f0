// The findings of `banyan doctor`: what is wrong with a node and what to do about it, from what was
// examined. Pure.

import type { EngineRights } from '../../model/local-api/status.ts'
import type { Instant } from '../../model/names.ts'
import { controlPortDefault, swarmPortDefault } from '../../model/ports.ts'
import type { Reach } from '../../swarm/siblings.ts'
import { engineFindings } from './engine-findings.ts'
import type { Finding } from './finding.ts'
import { type ParentReach, reachFindings, siblingFindings } from './reach-findings.ts'

/** The message and the hint of the Failure that an examination ended in. */
interface Failed {
  failed: string
  hint?: string
}

export interface Examined {
  now: Instant
  home: string
  settings: { name: string; parents: readonly string[]; targetRoot: string; reserveBytes: number } | Failed
  identity: { name: string; notAfter: Instant } | Failed | null
  trusted: { signedAt: Instant; expires: Instant } | Failed | null
  daemon:
    | {
        link: string
        because: string | null
        problems: readonly string[]
        condition: string
        /** Absent if the daemon does not say. */
        engine?: EngineRights
        /** Absent if the daemon does not say. */
        scrub?: { oldest: Instant | null; mending: number; damagedPieces: number }
        /** Absent if the daemon does not say. */
        siblings?: Reach
      }
    | Failed
  /**
   * The node's own ports that another program has. Only looked at while the daemon does not run.
   */
  portsTaken: readonly number[]
  /**
   * The parents in order of preference. `failed` is null for a parent that answers; `hint` says
   * what to do about this failure in particular.
   */
  parents: readonly { url: string; failed: string | null; hint?: string; reach?: ParentReach }[]
  /** Why the home folder cannot be written; null if it can. */
  unwritable: string | null
  /** Null while the daemon runs, which tells of damage itself. */
  database: { damaged: string | null } | Failed | null
  /** Null if the disk cannot be looked at. */
  freeBytes: number | null
  /** Whether `targetRoot`, the folder that packages are installed below, is there. */
  hasTargetRoot: boolean
  /** The programs found here, of those that install packages. */
  tools: readonly string[]
}

/**
 * The findings in the order in which a person should look at them. Without settings there is just
 * that one.
 */
export function findingsOf(examined: Examined): Finding[] {
  const { settings } = examined
  if ('failed' in settings) return [wrongBy('settings', settings)]
  const findings = [
    fine('settings', `node ${settings.name} in ${examined.home}`),
    ...certificateFindings(examined, settings.name),
    ...clockFindings(examined),
    daemonFinding(examined),
    ...examined.portsTaken.map((port) =>
      wrong(
        'ports',
        `something else listens on port ${port}`,
        `end it, or set another port in ${examined.home}/node.yaml`,
      ),
    ),
    ...parentFindings(examined),
    ...reachFindings(examined.parents),
    ...('failed' in examined.daemon ? [] : siblingFindings(examined.daemon.siblings)),
    ...('failed' in examined.daemon ? [] : engineFindings(examined.daemon.engine)),
    ...diskFindings(examined, settings),
    ...databaseFindings(examined),
    ...contentFindings(examined),
    toolsFinding(examined),
  ]
  const { daemon } = examined
  const problems = 'failed' in daemon ? [] : daemon.problems
  return [...findings, ...problems.map((problem) => wrong('problems', problem, 'banyan status has the rest'))]
}

const dayMs = 24 * 3600_000
/**
 * A node renews its certificate long before this much is left, so a shorter rest means that the
 * renewal failed.
 */
const certificateWarnMs = 7 * dayMs
/** How far a clock may be behind the newest metadata before it is called wrong. */
const clockSlackMs = 5 * 60_000

function certificateFindings({ identity, now }: Examined, name: string): Finding[] {
  if (identity === null) return []
  if ('failed' in identity) return [wrongBy('certificate', identity)]
  const again =
    'the daemon has it renewed as soon as a parent answers; if the root refuses, banyan status says why, and ' +
    `banyan token create --replaces ${name} on the root makes a token for banyan join --again here`
  const renamed = `set the name back in node.yaml; banyan join --again TOKEN --name ${name} changes it`
  if (identity.name !== name) {
    return [wrong('certificate', `it is for ${identity.name}, and the settings call this node ${name}`, renamed)]
  }
  const leftMs = identity.notAfter - now
  const until = new Date(identity.notAfter).toISOString()
  if (leftMs <= 0) return [wrong('certificate', `it ended at ${until}`, again)]
  if (leftMs > certificateWarnMs) return [fine('certificate', `it holds until ${until}`)]
  const hint = 'it should have been renewed by now: see that a parent can be reached and the daemon runs'
  return [{ about: 'certificate', state: 'warning', found: `it ends at ${until}`, hint }]
}

function clockFindings({ trusted, now }: Examined): Finding[] {
  if (trusted === null) return []
  if ('failed' in trusted) return [wrongBy('metadata', trusted)]
  const { signedAt, expires } = trusted
  if (now < signedAt - clockSlackMs) {
    const behind = `the clock says ${new Date(now).toISOString()}, and the newest metadata was signed at ${new Date(signedAt).toISOString()}`
    return [wrong('clock', behind, 'set the clock, for instance with systemd-timesyncd or chrony')]
  }
  const signed = `the fleet's word is of ${new Date(signedAt).toISOString()}`
  if (expires > now) return [fine('clock', 'it is not behind the fleet'), fine('metadata', signed)]
  const hint = 'a parent that can be reached brings newer metadata; if all nodes are stale, see that the root runs'
  return [
    fine('clock', 'it is not behind the fleet'),
    wrong('metadata', `${signed} and ended at ${new Date(expires).toISOString()}: nothing new is installed`, hint),
  ]
}

function daemonFinding({ daemon, home }: Examined): Finding {
  if ('failed' in daemon) {
    return wrong('daemon', daemon.failed, `systemctl start banyan, or banyan node --home ${home}`)
  }
  if (daemon.link === 'island') {
    return wrong('daemon', `it runs, and no parent answers it: ${daemon.because ?? 'unknown'}`, 'see parents')
  }
  if (daemon.condition === 'failed') {
    const hint = 'banyan check names the packages, banyan why PACKAGE says more'
    return wrong('daemon', 'it runs, and packages have failed', hint)
  }
  return fine('daemon', `it runs: ${daemon.condition}`)
}

function parentFindings({ parents }: Examined): Finding[] {
  const silent = parents.filter(({ failed }) => failed !== null)
  if (parents.length === 0) return []
  if (silent.length === 0) return [fine('parents', parents.map(({ url }) => url).join(', '))]
  const hint =
    'see that it runs, that this address is right and that no firewall is in between ' +
    `(port ${controlPortDefault}, and ${swarmPortDefault} for pieces)`
  const isAnyThere = silent.length < parents.length
  return silent.map(({ url, failed, hint: own }) => ({
    ...{ about: 'parents', found: `${url} cannot be asked: ${failed}`, hint: own ?? hint },
    state: isAnyThere ? 'warning' : 'wrong',
  }))
}

const hintOfUnwritable =
  'make room (df, df -i), or see why it is read-only (dmesg, findmnt); doctor has to run as the user of the daemon'

function diskFindings(
  { freeBytes, home, hasTargetRoot, unwritable }: Examined,
  { reserveBytes, targetRoot }: { reserveBytes: number; targetRoot: string },
): Finding[] {
  const findings: Finding[] = []
  if (unwritable !== null) findings.push(wrong('disk', unwritable, hintOfUnwritable))
  if (!hasTargetRoot) findings.push(wrong('disk', `${targetRoot} is not there`, 'make it, or set another targetRoot'))
  if (unwritable !== null) return findings
  if (freeBytes === null) return [...findings, wrong('disk', `${home} cannot be looked at`)]
  const free = `${Math.round(freeBytes / 2 ** 20)} MiB are free below ${home}`
  if (freeBytes > reserveBytes) return [...findings, fine('disk', free)]
  const hint = 'make room, or set a smaller diskReserve; a storeQuota has the daemon evict what is old'
  return [...findings, wrong('disk', `${free}, and ${Math.round(reserveBytes / 2 ** 20)} MiB are to stay so`, hint)]
}

function databaseFindings({ database, home }: Examined): Finding[] {
  if (database === null) return []
  if ('failed' in database) return [wrongBy('database', database)]
  const { damaged } = database
  if (damaged === null) return [fine('database', 'it can be read')]
  const hint = `start the daemon: it repairs the database, or begins a new one with what ${home}/kept has`
  return [wrong('database', `it is damaged: ${damaged}`, hint)]
}

/** What the daemon's checks of the stored payloads have found. */
function contentFindings({ daemon }: Examined): Finding[] {
  const scrub = 'failed' in daemon ? undefined : daemon.scrub
  if (scrub === undefined) return []
  const { oldest, mending, damagedPieces } = scrub
  const read =
    oldest === null ? 'no payload is stored' : `every payload was read since ${new Date(oldest).toISOString()}`
  if (mending === 0 && damagedPieces === 0) return [fine('content', read)]
  const count = damagedPieces === 1 ? '1 piece was' : `${damagedPieces} pieces were`
  const rest = mending === 0 ? 'all of it is well again' : `${mending} payloads are being mended`
  const hint = 'the daemon mends them by itself; see whether the disk fails: dmesg, smartctl -a'
  return [{ about: 'content', state: mending === 0 ? 'warning' : 'wrong', found: `${count} damaged: ${rest}`, hint }]
}

function toolsFinding({ tools }: Examined): Finding {
  const has = (tool: string) => tools.includes(tool)
  const kinds = [...(has('dpkg') && has('apt-get') ? ['deb'] : []), ...(has('rpm') ? ['rpm'] : []), 'tree']
  const halfDeb = has('dpkg') && !has('apt-get')
  if (kinds.length > 1) return fine('tools', `for packages of kind ${kinds.join(', ')}`)
  const found = halfDeb ? 'there is dpkg and no apt-get' : 'there is neither dpkg nor rpm'
  return {
    about: 'tools',
    state: 'warning',
    found: `${found}: only trees can be installed`,
    hint: 'fine if the policy wants nothing else here',
  }
}

function fine(about: string, found: string): Finding {
  return { about, state: 'fine', found }
}

function wrong(about: string, found: string, hint?: string): Finding {
  return { about, state: 'wrong', found, ...(hint !== undefined && { hint }) }
}

function wrongBy(about: string, { failed, hint }: Failed): Finding {
  return wrong(about, failed, hint)
}
