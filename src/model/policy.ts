// The policy as operators write it (`policy.yaml`). `repository` compiles it into a revision.

import * as v from 'valibot'
import { lineSchema, packageNameSchema, packageVersionSchema, wordSchema } from './names.ts'
import { parserOf } from './parse.ts'
import { selectorSchema } from './revision.ts'

/** `latest`, `absent`, or one version. */
export const wantedVersionSchema = v.pipe(
  v.union([v.literal('latest'), v.literal('absent'), packageVersionSchema]),
  v.description('latest, absent, or one published version'),
)

export const policyRuleSchema = v.strictObject({
  nodes: v.pipe(
    v.union([v.literal('all'), v.array(wordSchema)]),
    v.description('all, or the groups that the rule is for: a node in any of them'),
  ),
  except: v.exactOptional(v.pipe(v.array(wordSchema), v.description('groups that the rule leaves out'))),
  packages: v.record(packageNameSchema, wantedVersionSchema),
  note: v.exactOptional(lineSchema),
})
export type PolicyRule = v.InferOutput<typeof policyRuleSchema>

export const policySchema = v.strictObject({
  groups: v.optional(v.record(wordSchema, selectorSchema), {}),
  rules: v.pipe(v.optional(v.array(policyRuleSchema), []), v.description('later rules win, package by package')),
})
export type Policy = v.InferOutput<typeof policySchema>

export const parsePolicy = parserOf(policySchema)
