// Starting to listen at a port, and what it means when that fails.

import type { Server } from 'node:net'
import { codeOf, Failure, type FailureCode, messageOf } from '../model/failure.ts'

/**
 * Resolves once the server listens. Throws `conflict` with `takenHint` if the port is taken, and
 * `otherwise` if the operating system refuses for another reason. `what` names the port: `swarm
 * port`.
 */
export async function listenAt(
  server: Server,
  options: { address: string; port: number; what?: string; takenHint: string; otherwise: FailureCode },
): Promise<void> {
  const where = `${options.what ?? 'port'} ${options.port} at ${options.address}`
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: options.address, port: options.port }, resolve)
    })
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') {
      throw new Failure('conflict', `${where} is taken`, { hint: options.takenHint, cause: error })
    }
    throw new Failure(options.otherwise, `cannot listen at ${where}: ${messageOf(error)}`, { cause: error })
  }
}
