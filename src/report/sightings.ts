// Notes which run of which machine made a report. The counters of one node grow from run to run, also
// over restarts, moves and late reports: where the counters of two runs lie between each other, two
// daemons run at once, if their news arrive in turns, too: a disk that was put back to an earlier state
// gives out counters again that are ahead of its clock. Pure.

import { limits } from '../model/limits.ts'
import type { Instant } from '../model/names.ts'
import type { Report } from '../model/report.ts'
import { type Machine, machinesAt, type Sighting, type Sightings } from '../model/wire/sightings.ts'

type Seen = Pick<Report, 'counter' | 'state' | 'converged'> & { machine: Machine; at: Instant }

/** Undefined if the report does not say what machine it is of and none did before. */
export function sightingsAfter(
  before: Sightings | undefined,
  { counter, state, converged, machine, unsaved }: Report,
  at: Instant,
): Sightings | undefined {
  // The counter of a report from memory is on no disk, so the next run might use it again.
  if (machine === undefined || unsaved === true) return before
  const seen = { counter, state, converged, machine, at }
  const { runs = [], boots = [] } = before ?? {}
  return withTimes(before, at, {
    runs: withSeen(runs, seen, ({ run }) => run),
    // A daemon that never lives for two reports is known by the start of its machine. Containers of
    // one machine share the start, and are known by their runs.
    boots: machine.boot === undefined ? boots : withSeen(boots, seen, ({ boot = '' }) => boot),
  })
}

/** The two machines were seen last when something of both crossed last, and this was the newest report. */
function withTimes(before: Sightings | undefined, at: Instant, next: Sightings): Sightings {
  if (machinesAt(next, at).length === 0) return next
  const first = machinesAt(before, at).length > 0 ? (before?.cloned?.first ?? at) : at
  return { ...next, cloned: { first, last: crossedLast(next) } }
}

function crossedLast({ runs, boots }: Sightings): Instant {
  return Math.max(0, ...[...runs, ...boots].flatMap(({ crosses }) => Object.values(crosses)))
}

function withSeen(all: readonly Sighting[], seen: Seen, idOf: (machine: Machine) => string): Sighting[] {
  const { counter, state, converged, machine, at } = seen
  const id = idOf(machine)
  const known = all.find((each) => idOf(each.machine) === id)
  // A report that comes a second time says nothing new.
  if (known !== undefined && (counter === known.low || counter === known.high)) return [...all]
  const isNewest = known === undefined || counter > known.high
  const own: Sighting = {
    ...(isNewest ? { machine, state, converged } : known),
    low: Math.min(counter, known?.low ?? counter),
    high: Math.max(counter, known?.high ?? counter),
    at,
    crosses: known?.crosses ?? {},
    // Only news take turns: an older report may have waited anywhere.
    others: isNewest ? {} : known.others,
    turns: isNewest ? { ...known?.turns, ...timesOf(known?.others ?? {}, at) } : known.turns,
  }
  const others = all
    .filter((each) => each !== known)
    .map((other) => {
      const otherId = idOf(other.machine)
      if (isBetween(other.low, own) || isBetween(other.high, own)) {
        own.crosses = { ...own.crosses, [otherId]: at }
      }
      const crosses = isBetween(counter, other) ? { ...other.crosses, [id]: at } : other.crosses
      return { ...other, crosses, others: isNewest ? { ...other.others, [id]: at } : other.others }
    })
  return pruned([...others, own].slice(-limits.sightingsKept), idOf)
}

/** A counter at one of the ends was used twice, which no daemon does either. */
function isBetween(counter: number, { low, high }: Pick<Sighting, 'low' | 'high'>): boolean {
  return low <= counter && counter <= high
}

/** Without those that crossed somebody who is forgotten. */
function pruned(kept: Sighting[], idOf: (machine: Machine) => string): Sighting[] {
  const ids = new Set(kept.map(({ machine }) => idOf(machine)))
  const known = (times: Sighting['crosses']) => Object.fromEntries(Object.entries(times).filter(([id]) => ids.has(id)))
  return kept.map((each) => ({
    ...each,
    ...{ crosses: known(each.crosses), others: known(each.others), turns: known(each.turns) },
  }))
}

function timesOf(others: Sighting['others'], at: Instant): Sighting['turns'] {
  return Object.fromEntries(Object.keys(others).map((id) => [id, at]))
}
