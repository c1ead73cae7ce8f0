/** Whether random walks, kills and repetitions take their large form, as in the CI. */
export const isLarge = (process.env['BANYAN_LARGE'] ?? '') !== ''
