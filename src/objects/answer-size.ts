// How many bytes one answer of the parent should bring, and how many requests run at once: few
// calls on a quick link, and no long answer on a thin one.

import { limits } from '../model/limits.ts'

export interface AnswerSize {
  /** Bytes that the next answer should bring. */
  bytes(): number
  /** How many requests may run at once. */
  requestsMax(): number
  /** A request was answered after `ms` milliseconds. */
  answered(ms: number): void
  /** A request failed. */
  failed(): void
}

export function createAnswerSize(): AnswerSize {
  let bytes: number = limits.objectsFirstAnswerBytes
  const halve = () => {
    bytes = Math.max(limits.objectsLeastAnswerBytes, bytes / 2)
  }
  return {
    bytes: () => bytes,
    requestsMax: () => (bytes === limits.objectsLeastAnswerBytes ? 1 : limits.objectAsksAtOnce),
    answered(ms) {
      if (ms < limits.objectsQuickMs) bytes = Math.min(limits.objectsAnswerBytes, bytes * 2)
      if (ms > limits.objectsSlowMs) halve()
    },
    failed: halve,
  }
}
