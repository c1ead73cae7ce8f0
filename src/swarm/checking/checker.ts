// Reads a whole payload from the disk and compares each piece with its digest. The swarm needs one;
// the real one is a process of its own (check-process.ts), because the daemon hashes no payload.

import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { countSchema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { lengthOfPiece, piecesOf } from '../holdings/bits.ts'

const bytesSchema = v.instance<new () => Uint8Array>(Uint8Array)

const checkJobSchema = v.strictObject({
  /** Of the whole payload. */
  path: v.string(),
  /** In bytes, as is the next. */
  size: countSchema,
  pieceLength: countSchema,
  /** SHA-1, 20 bytes for each piece. */
  digests: bytesSchema,
  /** Slowly, and only when nobody else uses the disk. */
  isIdle: v.boolean(),
})
export type CheckJob = v.InferOutput<typeof checkJobSchema>
export const parseCheckJob = parserOf(checkJobSchema)

const checkedSchema = v.strictObject({
  /** The pieces that are not as they should be, or cannot be read. */
  wrong: v.array(countSchema),
})
export type Checked = v.InferOutput<typeof checkedSchema>

/** What a checking process says: the bytes read since it said so last, or its answer. */
export const parseCheckSaid = parserOf(v.union([v.strictObject({ read: countSchema }), checkedSchema]))

export interface PayloadChecker {
  /** Throws `disk` if the payload cannot be checked at all. */
  check(job: CheckJob): Promise<Checked>
}

/**
 * `read` resolves with the number of bytes read, and rejects for what the disk cannot read: such a
 * piece is wrong.
 */
export async function checkedPieces(
  job: Pick<CheckJob, 'size' | 'pieceLength' | 'digests'>,
  read: (into: Uint8Array, position: number) => Promise<number>,
): Promise<Checked> {
  const buffer = new Uint8Array(Math.min(job.size, job.pieceLength))
  const wrong: number[] = []
  for (let piece = 0; piece < piecesOf(job); piece += 1) {
    const bytes = buffer.subarray(0, lengthOfPiece(job, piece))
    const size = await read(bytes, piece * job.pieceLength).catch(() => -1)
    const digest = job.digests.subarray(piece * 20, piece * 20 + 20)
    if (size !== bytes.length || !createHash('sha1').update(bytes).digest().equals(digest)) wrong.push(piece)
  }
  return { wrong }
}
