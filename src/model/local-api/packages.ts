// What the daemon answers about packages: those of a root's repository, and .torrent files of
// payloads that are here.

import * as v from 'valibot'
import { kindSchema } from '../manifest.ts'
import {
  archSchema,
  countSchema,
  infoHashSchema,
  instantSchema,
  packageNameSchema,
  packageVersionSchema,
  sha256Schema,
} from '../names.ts'
import { targetSchema } from '../packages/target-schema.ts'

export const packagesSchema = v.object({
  packages: v.array(
    v.object({
      name: packageNameSchema,
      kind: kindSchema,
      /** The summary of the newest version. */
      summary: v.string(),
      /** The newest first. */
      versions: v.array(packageVersionSchema),
      archs: v.array(archSchema),
      kinds: v.array(kindSchema),
      /** As texts: `os.codename=bookworm`. */
      targets: v.array(v.string()),
      /** Bytes of all payloads together. */
      bytes: countSchema,
    }),
  ),
})

const publishedVersionEntries = {
  name: packageNameSchema,
  version: packageVersionSchema,
  arch: archSchema,
  kind: kindSchema,
  /** The machines that the build is for. Absent: all of its architecture. */
  target: v.exactOptional(targetSchema),
  summary: v.string(),
  depends: v.array(v.string()),
  /** Bytes. */
  installedSize: countSchema,
  /** The last three fields belong to a payload that travels in pieces. */
  payload: v.object({
    via: v.picklist(['object', 'swarm']),
    sha256: sha256Schema,
    size: countSchema,
    infoHash: v.exactOptional(infoHashSchema),
    pieceLength: v.exactOptional(countSchema),
    metainfo: v.exactOptional(sha256Schema),
  }),
  /** The digest of the package's manifest. */
  manifest: sha256Schema,
  published: instantSchema,
}

/** The versions of one package, the newest first. */
export const packageSchema = v.object({ versions: v.array(v.object(publishedVersionEntries)) })

const publishedSchema = v.object({
  ...publishedVersionEntries,
  /** `already`: the same content was published before. */
  outcome: v.picklist(['published', 'already']),
  /** Sentences about what may go wrong on nodes. */
  warnings: v.array(v.string()),
})
export type Published = v.InferOutput<typeof publishedSchema>

/** One line of a publication: bytes of a step, or, as the last line, what was published. */
export const publishLineSchema = v.object({
  step: v.exactOptional(v.picklist(['packing', 'hashing', 'storing'])),
  done: v.exactOptional(countSchema),
  total: v.exactOptional(countSchema),
  published: v.exactOptional(publishedSchema),
})
export type PublishLine = v.InferOutput<typeof publishLineSchema>

/** A .torrent file of one package. */
export const torrentSchema = v.object({
  name: packageNameSchema,
  version: packageVersionSchema,
  infoHash: infoHashSchema,
  /** URL of the announce endpoint that the file names. */
  announce: v.string(),
  /** The file, in base64. */
  torrent: v.string(),
})
