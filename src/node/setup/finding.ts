// One finding of `banyan doctor`.

export interface Finding {
  /** The subject, in one word. */
  about: string
  /** `warning`: it works, but not for long or not for everything. */
  state: 'fine' | 'warning' | 'wrong'
  /** What the doctor saw. */
  found: string
  /** What to do about it. */
  hint?: string
}
