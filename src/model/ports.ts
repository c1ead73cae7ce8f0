// The ports of a node whose settings name no others. Apart from the settings, because a command's
// help shows them.

export const controlPortDefault = 7420
export const swarmPortDefault = 7421

/** The lowest port that any user may listen at. Below it are the services of others. */
export const userPortMin = 1024
