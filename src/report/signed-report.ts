// A report as its node signed it, with the certificate that a reader needs to check it.

import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { countSchema, nodeNameSchema } from '../model/names.ts'
import { parseJson, parserOf } from '../model/parse.ts'
import { type Envelope, envelopeSchema, parseReport, type Report } from '../model/report.ts'

export const signedReportSchema = v.strictObject({
  node: nodeNameSchema,
  counter: countSchema,
  envelope: envelopeSchema,
  /** Base64 DER of the signer's certificate; null if readers know it from elsewhere. */
  certificate: v.nullable(v.string()),
})
export type SignedReport = v.InferOutput<typeof signedReportSchema>
export const parseSignedReport = parserOf(signedReportSchema)

export function keyIdOf(envelope: Envelope): string {
  return envelope.signatures[0]?.keyid ?? ''
}

/** The signature was checked before the report was stored. */
export function reportIn(signed: SignedReport): Report {
  const where = `report of ${signed.node}`
  return parseReport(parseJson(payloadIn(signed), where), where)
}

/** The bytes that the node signed. */
export function payloadIn({ envelope }: SignedReport): Uint8Array {
  return Buffer.from(envelope.payload, 'base64')
}

/** By what a report is told from another one with the same counter. */
export function digestOf(payload: Uint8Array): string {
  return createHash('sha256').update(payload).digest('hex').slice(0, 16)
}
