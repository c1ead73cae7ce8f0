// The ports of a node whose settings name no others. Apart from the settings, because a command's
// help shows them.

export const controlPortDefault = 7420
export const swarmPortDefault = 7421
