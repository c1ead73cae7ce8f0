// A report as its node signed it, with the certificate that a reader needs to check it.

import * as v from 'valibot'
import { countSchema, nodeNameSchema } from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import { type Envelope, envelopeSchema } from '../model/report.ts'

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
