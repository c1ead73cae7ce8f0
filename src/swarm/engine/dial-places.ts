// Dials one peer at all of its addresses: the best one first, the next ones a moment later, and keeps
// the connection that is there first (as RFC 8305 does for the addresses of one name).

import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Clock, Timer } from '../../world/world.ts'

interface Parts<Connection> {
  /** The best one first. */
  addresses: readonly string[]
  clock: Pick<Clock, 'after'>
  dial: (address: string) => Promise<Connection>
  /** Another one was quicker. */
  discard: (connection: Connection) => void
}

/**
 * Throws a Failure with what became of each address. Its code is that of the dial that came furthest:
 * `unreachable` only if no address was reached.
 */
export function dialPlaces<Connection>({ addresses, clock, dial, discard }: Parts<Connection>): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const failures: Failure[] = []
    let begun = 0
    let isOver = false
    let timer: Timer | undefined
    const next = () => {
      timer?.cancel()
      const address = addresses[begun]
      if (isOver || address === undefined) return
      begun += 1
      timer = clock.after(limits.nextPlaceMs, next)
      dial(address).then(reached, failed)
    }
    const reached = (connection: Connection) => {
      if (isOver) return discard(connection)
      isOver = true
      timer?.cancel()
      resolve(connection)
    }
    const failed = (error: unknown) => {
      failures.push(error instanceof Failure ? error : new Failure('unreachable', messageOf(error), { retry: 'later' }))
      if (failures.length < addresses.length) return next()
      isOver = true
      timer?.cancel()
      reject(failureOf(failures))
    }
    next()
  })
}

function failureOf(failures: readonly Failure[]): Failure {
  const [first] = failures
  if (first !== undefined && failures.length === 1) return first
  const message = failures.map((each) => each.message).join('; ')
  const furthest = failures.find(({ code }) => code !== 'unreachable') ?? first
  return new Failure(furthest?.code ?? 'unreachable', message, { retry: 'later' })
}
