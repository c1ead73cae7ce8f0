// What `banyan doctor` says about the rights of the swarm engine. Pure.

import { unreachable } from '../../model/failure.ts'
import type { EngineRights } from '../../model/local-api/status.ts'
import type { Finding } from './finding.ts'

/** Undefined rights: the daemon does not say, as an older version. */
export function engineFindings(rights: EngineRights | undefined): Finding[] {
  if (rights === undefined) return []
  const { notStarted } = rights
  const findings = [confinementFinding(rights)]
  if (notStarted === null) return findings
  const hint = 'payloads neither come nor go until it starts; see that its user can read the program, then the log'
  return [...findings, { about: 'engine', state: 'wrong', found: `it does not start: ${notStarted}`, hint }]
}

function confinementFinding({ runs, uid, because }: EngineRights): Finding {
  switch (runs) {
    case 'as-another-user': {
      const found = `it runs as user ${uid}, without rights on this machine`
      if (because === null) return { about: 'engine', state: 'fine', found }
      return {
        ...{ about: 'engine', state: 'warning', found: `it runs as user ${uid}: ${because}` },
        hint: 'install setpriv, which comes with mount and su: programs with more rights can be started until then',
      }
    }
    case 'as-the-daemon':
      return { about: 'engine', state: 'fine', found: `it runs as user ${uid}, as the daemon does` }
    case 'as-root':
      return {
        ...{ about: 'engine', state: 'warning', found: `it runs as root: ${because}` },
        hint: 'have the program where every user can read it, and the payloads on a file system with owners',
      }
    default:
      return unreachable(runs)
  }
}
