// What webtorrent gets in place of its ways out. It takes what is not a function for not there, as
// in a browser.
const nothing = {}
export default nothing
export const Client = nothing
export const NodeServer = nothing
export const BrowserServer = nothing
export const parseInput = nothing
