// The folder of one transaction, `apply/<txid>`: what is written there, and how it is read back.

import path from 'node:path'
import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { instantSchema } from '../../model/names.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import { outcomeSchema } from '../../model/report.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import type { Disk } from '../../world/world.ts'
import { type Plan, parsePlan } from '../plan.ts'
import { restartResultSchema } from '../restarts.ts'

export const appliedSchema = v.strictObject({
  schema: v.literal(1),
  txid: v.string(),
  startedAt: instantSchema,
  endedAt: instantSchema,
  outcomes: v.array(outcomeSchema),
  restarts: v.optional(v.array(restartResultSchema), []),
  /** The last of what the programs printed. */
  output: v.string(),
})
/** What an apply came to, as its process writes it: all of it or none. */
export type Applied = v.InferOutput<typeof appliedSchema>
export const parseApplied = parserOf(appliedSchema)

export interface ApplyFolder {
  dir: string
  plan: string
  journal: string
  applied: string
  /** Everything that the process and its programs print, for a person. */
  output: string
  /** The processes of the programs that it has started. */
  programs: string
  /** There once the daemon no longer waits for a beginning: what has not begun must not begin any more. */
  givenUp: string
  /** There once the daemon has taken the outcomes over. */
  taken: string
}

export function applyFolder(home: string, txid: string): ApplyFolder {
  const dir = path.join(home, 'apply', txid)
  return {
    dir,
    plan: path.join(dir, 'plan.json'),
    journal: path.join(dir, 'journal.ndjson'),
    applied: path.join(dir, 'outcomes.json'),
    output: path.join(dir, 'output.log'),
    programs: path.join(dir, 'programs'),
    givenUp: path.join(dir, 'given-up'),
    taken: path.join(dir, 'taken'),
  }
}

/** Where a transaction keeps its own copies of the payloads as long as it works; 0700. */
export function payloadsFolder(dir: string): string {
  return path.join(dir, 'payloads')
}

/** Undefined if there is none: its transaction never began. */
export async function readPlan(disk: Pick<Disk, 'read'>, folder: ApplyFolder): Promise<Plan | undefined> {
  const text = await readIfThere(disk, folder.plan, { maxBytes: limits.planMaxBytes })
  return text === undefined ? undefined : parsePlan(parseJson(text, folder.plan), folder.plan)
}

/** Undefined as long as the apply has not ended; `unreadable` if another version of this program wrote it. */
export async function readApplied(
  disk: Pick<Disk, 'read'>,
  folder: ApplyFolder,
): Promise<Applied | 'unreadable' | undefined> {
  const text = await readIfThere(disk, folder.applied, { maxBytes: limits.planMaxBytes })
  if (text === undefined) return undefined
  try {
    return parseApplied(parseJson(text, folder.applied), folder.applied)
  } catch (error) {
    if (!(error instanceof Failure && error.code === 'bad-input')) throw error
    return 'unreadable'
  }
}
