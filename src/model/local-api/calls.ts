// Every call of the local API, on the socket `run/control.sock` of a node's home, and what each
// answers. The daemon's handlers and the commands have the types of these tables. A schema is
// loaded by the command that reads by it: no command pays for the others at its start.

import type * as v from 'valibot'
import type { BodyOf, CallWithBody, TorrentQuery } from './requests.ts'

/**
 * Calls that are answered with one JSON value. `:name` stands for one escaped segment of the path.
 */
const answers = {
  'GET /status': async () => (await import('./status.ts')).statusSchema,
  'GET /nodes': async () => (await import('./nodes.ts')).nodesSchema,
  'GET /nodes/:name': async () => (await import('./nodes.ts')).nodeDetailsSchema,
  'POST /acknowledge/:name': async () => (await import('./nodes.ts')).acknowledgedSchema,
  'GET /packages': async () => (await import('./packages.ts')).packagesSchema,
  'GET /packages/:name': async () => (await import('./packages.ts')).packageSchema,
  'GET /torrents/:name': async () => (await import('./packages.ts')).torrentSchema,
  'GET /check': async () => (await import('./machine.ts')).checkSchema,
  'GET /why/:name': async () => (await import('./machine.ts')).whySchema,
  'POST /revoke/:name': async () => (await import('./nodes.ts')).revokedSchema,
  'GET /identity': async () => (await import('./nodes.ts')).identitySchema,
  'POST /identity': async () => (await import('./nodes.ts')).identitySchema,
  'POST /recover': async () => (await import('./releasing.ts')).recoverSchema,
  'POST /clock/confirm': async () => (await import('./machine.ts')).clockSchema,
  'POST /reload': async () => (await import('./machine.ts')).reloadSchema,
  'GET /plan': async () => (await import('./releasing.ts')).planSchema,
  'POST /rollback/plan': async () => (await import('./releasing.ts')).planSchema,
  'GET /history': async () => (await import('./releasing.ts')).historySchema,
  'POST /diff': async () => (await import('./releasing.ts')).changesSchema,
  'POST /tokens': async () => (await import('./nodes.ts')).tokenSchema,
  'GET /rollouts': async () => (await import('./rollouts.ts')).rolloutsSchema,
  'POST /rollouts': async () => (await import('./rollouts.ts')).rolloutInfoSchema,
}

/**
 * Calls that are answered line by line while the daemon works; the last line has what came of it.
 */
const lines = {
  'POST /publish': async () => (await import('./packages.ts')).publishLineSchema,
  'POST /release': async () => (await import('./releasing.ts')).releaseLineSchema,
  'POST /rollback': async () => (await import('./releasing.ts')).releaseLineSchema,
  'POST /apply': async () => (await import('./machine.ts')).applyLineSchema,
}

/** Calls that are answered with text. */
export type TextCall = 'GET /metrics'

export type AnswerCall = keyof typeof answers
export type LineCall = keyof typeof lines
export type LocalCall = AnswerCall | LineCall | TextCall

type Loaded<Load> = Load extends () => Promise<v.GenericSchema<unknown, infer Value>> ? Value : never
/** What the daemon answers. A reader of any version has it as `Readable`. */
export type AnswerOf<Call extends AnswerCall> = Loaded<(typeof answers)[Call]>
/** One line of the daemon's answer. */
export type LineOf<Call extends LineCall> = Loaded<(typeof lines)[Call]>

/** What a call takes: the name in its path, its body, its query. */
export type TakenBy<Call extends LocalCall> = (Call extends `${string}:name` ? { name: string } : unknown) &
  (Call extends CallWithBody ? { body: BodyOf<Call> } : unknown) &
  (Call extends 'GET /torrents/:name' ? { query: TorrentQuery } : unknown)

type Loads<Value> = () => Promise<v.GenericSchema<unknown, Value>>
export const loadAnswerSchema: { [Call in AnswerCall]: Loads<AnswerOf<Call>> } = answers
export const loadLineSchema: { [Call in LineCall]: Loads<LineOf<Call>> } = lines
