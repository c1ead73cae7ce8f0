// The folder of one transaction, `apply/<txid>`: which files it has, and how they are read back.

import path from 'node:path'
import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { instantSchema, sha256Schema } from '../../model/names.ts'
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
  /** The payloads of the store that are not what was signed, or not there. */
  damaged: v.optional(v.array(sha256Schema), []),
  restarts: v.optional(v.array(restartResultSchema), []),
  /** The end of what the programs printed, at most `limits.outputKeptBytes` characters. */
  output: v.string(),
})
/** What an apply did, as its process writes it down when it ends: all of it or nothing. */
export type Applied = v.InferOutput<typeof appliedSchema>
const parseApplied = parserOf(appliedSchema)

/** The paths in one transaction's folder. */
export interface ApplyFolder {
  dir: string
  /** The plan. Written by the daemon before the process starts. */
  plan: string
  /** The steps, each written by the process before it is done. */
  journal: string
  /** `Applied`. Written by the process when it ends. */
  applied: string
  /** Everything that the process and its programs print, for a person. */
  output: string
  /** The programs that the process has started, one a line. */
  programs: string
  /**
   * Exists once the daemon no longer waits for the process to begin. A process that finds it does
   * nothing.
   */
  givenUp: string
  /** Exists once the daemon has stored the outcomes. */
  taken: string
}

/** The paths of transaction `txid` below a node's home. Creates nothing. */
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

/**
 * The folder in which a transaction keeps its own copies of payloads while it works. Its mode is
 * 0700.
 */
export function payloadsFolder(dir: string): string {
  return path.join(dir, 'payloads')
}

/**
 * Undefined if there is no plan: the transaction never began. Throws `bad-input` for a damaged
 * plan.
 */
export async function readPlan(disk: Pick<Disk, 'read'>, folder: ApplyFolder): Promise<Plan | undefined> {
  const text = await readIfThere(disk, folder.plan, { maxBytes: limits.planMaxBytes })
  return text === undefined ? undefined : parsePlan(parseJson(text, folder.plan), folder.plan)
}

/**
 * Undefined as long as the apply has not ended. `unreadable` if another version of this program
 * wrote the file.
 */
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
