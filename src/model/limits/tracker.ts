// Announces, handouts, the election of gateways, and the tracker for ordinary clients.

import { hour, KiB, MiB, minute, second } from './multiples.ts'

export const trackerLimits = {
  /**
   * Unfinished swarms in one announce; the others follow as those end. With the parent and one
   * sibling for each, the handout is full (`handoutPeersMax`).
   */
  announcedUnfinishedMax: 3_000,
  /**
   * When a tracker asks for all whole payloads of a child, the child waits a random time: at most
   * this many milliseconds for each payload that it has. After a restart of a parent its children
   * would otherwise all send long lists at once.
   */
  tellAllSpreadMs: 1,
  /**
   * How often a child announces that lacks nothing. A gateway counts as gone once it is late by
   * `announceLateIntervals` of its intervals.
   */
  announceIntervalMs: 30 * second,
  /**
   * How often a child announces that lacks something. Siblings learn within this time who has more.
   */
  announceBusyIntervalMs: 2 * second,
  /** A parent can have a child announce this often and no oftener. A child's own news goes at once. */
  announceLeastMs: 1 * second,
  /** A parent can silence a child for this long. Longer than what a parent of many asks for. */
  announceMostMs: 1 * minute,
  /** A child tells all of its payloads this often and no oftener. They can be 20,000. */
  tellAllEveryMs: 30 * second,
  /** A child believes another site this often and no oftener. It writes the site to disk. */
  siteChangesEveryMs: 1 * minute,
  /** Places of siblings that a child dials at once without having dialled them before. */
  dialledNewMax: 128,
  /** After them, one more in this time: a parent cannot have its children search a network. */
  dialledNewEveryMs: 1 * second,
  /** Places that count as dialled before. A large site has a thousand nodes. */
  dialledPlacesKept: 4_096,
  /** Addresses that a node tells of itself. Machines with more have them for their containers. */
  ownAddressesMax: 8,
  /** Addresses of one sibling in a handout. Each may cost a dial. */
  placesPerPeerMax: 4,
  /** Siblings dialled in vain that an announce names. More than a handout has for one swarm. */
  unreachedMax: 64,
  /** Siblings dialled in vain that a node remembers, so as not to dial them again. A fleet's sites, twice. */
  unreachedKept: 2_048,
  /** How often a child is dialled back because it asks whether it can be reached. A person waits. */
  dialBackEveryMs: 5 * second,
  /** Children whose last questions are remembered for that. */
  dialBackNodesKept: 1_024,
  /** Children dialled back at once; then one a second. */
  dialBacksMax: 16,
  /**
   * Circles of a site that are decided with one announce, beside the circle of the child that announces.
   * Thousands of nodes that do not reach each other have a circle each.
   */
  circlesInTurnMax: 64,
  /** A node that has met none of its siblings counts as alone after so many dials in vain. */
  aloneAfterNodes: 3,
  /** A sibling that was dialled in vain is dialled again after this time, or when it has moved. */
  unreachedKeptMs: 10 * minute,
  /** Siblings that were reached and are remembered. */
  reachedKept: 256,
  /** A change waits this long for further ones, so that many new swarms make one announce. */
  announceDebounceMs: 50,
  /**
   * A member that has not announced for this long is forgotten. Four usual intervals: some
   * announces get lost.
   */
  peerForgottenAfterMs: 2 * minute,
  /**
   * A member that has not announced for this many of its own intervals no longer counts as gateway.
   */
  announceLateIntervals: 4,
  /**
   * Announces a second that a tracker aims at. With more children than that allows, it asks for
   * longer intervals.
   */
  announcesPerSecondMax: 500,
  /**
   * A child's first announce of a swarm waits this long for its parent to take part, so that it can
   * dial it at once.
   */
  newSwarmWaitMs: 2 * second,
  /**
   * Peers for one swarm in a handout, and peers that the engine dials for it. Each costs a
   * connection at both ends.
   */
  peersPerHandoutMax: 50,
  /**
   * Siblings in a handout at the parent's own site. As many others call the node, and each of them
   * has further ones, so pieces and news are everywhere after two or three steps. Measured with 24
   * nodes: six instead of all halve the messages, and each connection costs both ends for every
   * piece.
   */
  nearPerHandoutMax: 6,
  /** Peers in one handout, over all its swarms. Keeps the handout below `announceMaxBytes`. */
  handoutPeersMax: 6_000,
  /**
   * Children that one tracker knows. Bounds their memory; a parent meets its limits of connections
   * before this one.
   */
  trackerMembersMax: 20_000,
  /** Swarms of all members together. They are what the tracker's memory goes to. */
  trackerMembershipsMax: 500_000,
  /** Payloads of which a tracker knows who has them whole. Each takes one bit for each child. */
  trackerWholesMax: 50_000,

  /**
   * A gateway that gets nothing for this long, although its parent has more, is replaced. A member
   * that gets nothing for this long, although its site has more, becomes a gateway as well.
   * Shorter: a slow link alone replaces gateways, and pieces cross the link again. Longer: a site
   * waits for a dead gateway.
   */
  gatewayPatienceMs: 15 * second,
  /** Less that came over the link in that time is no progress, but a peer's signs of life. */
  gatewayProgressBytes: 1 * KiB,
  /** The patience lasts for so many bytes of each payload under way, at the pace of the site's link. */
  gatewayPatienceBytes: 128 * KiB,
  /** The patience lasts for this many intervals between announces: what is known is as old as that. */
  gatewayPatienceIntervals: 3,
  /** The longest patience with a link that moves at all. */
  gatewayPatienceMostMs: 5 * minute,
  /** What an announce and its handout take of a link, with headers. */
  announceLinkBytes: 1_500,
  /** The part of a site's link that its announces may take. They get rarer on a thin link. */
  announceLinkShare: 0.02,
  /** The pace of a link is measured over this time at least: blocks come in bursts. */
  linkPaceMs: 10 * second,
  /** What a child has measured counts for this long. Links change, and so does who shares them. */
  linkPaceKeptMs: 1 * hour,
  /** The patience doubles with each replacement, this many times at most. */
  gatewayPatienceDoublings: 6,
  /** Gateways for one payload at one site, where one node is slower than the site's link. */
  gatewaysMax: 3,
  /**
   * The bytes that arrive over a link are measured over this time. Shorter measures see bursts
   * only.
   */
  gatewayMeasureMs: 8 * second,
  /** The measure goes on until so many bytes have come. Less is a few pieces, which come in bursts. */
  gatewayMeasureBytes: 2 * MiB,
  /** It ends at last after this time, or a link that brings nothing would never be found out. */
  gatewayMeasureMostMs: 1 * minute,
  /**
   * One gateway more has to bring this many times the bytes, or the link is the limit and it was in
   * vain.
   */
  gatewayGainFactor: 1.25,
  /**
   * Sites whose links' pace is remembered. Children name their site, so the number is theirs to
   * choose.
   */
  gatewayLinksKept: 10_000,
  /**
   * A node that says that it has a payload whole has its site wait for it this long, while no child
   * there takes from the parent. Longer: a liar costs the site more. Shorter: pieces cross the link
   * that a sibling has.
   */
  wholeTrialMs: 1 * second,
  /** The same for a node of which siblings have received before. Its engine may wake slowly. */
  wholeTrialProvenMs: 4 * second,
  /**
   * A sibling that received bytes confirms their sender for this many of its own announce
   * intervals.
   */
  confirmedIntervals: 3,
  /**
   * A node that says that it has a payload whole, and of which none of its siblings has received
   * a byte for this long although they lack it, does not keep its word.
   */
  wholeUnkeptMs: 10 * second,
  /** How long such a node is believed nothing that no sibling confirms. */
  distrustMs: 10 * minute,
  /**
   * A child may say once in this time that its disk has lost the same payload. A disk that loses it
   * more often is no gateway either.
   */
  payloadLostAgainMs: 1 * hour,
  /** Siblings named in an announce as senders, for one swarm. The others have their turn later. */
  announcedSendersMax: 8,
  /** Payloads that one child can have a tracker remember as whole, beside those of others. */
  trackerWholesOfNodeMax: 20_000,
  /** Payloads that a parent fetches for a child of which it has no report yet. */
  wantsUnreportedMax: 16,
  /** Children of which is known what they may want. Others are read again. */
  childTraitsKept: 2_000,
  /**
   * A child that asks for what the policy does not let it have is told of after this time: its
   * report with new labels may be on its way.
   */
  wantsRefusedToldMs: 30 * second,
  /** How long a child that did not keep its word is told of. */
  unkeptToldMs: 1 * hour,
  /** Children that are told of at once. */
  unkeptToldMax: 20,
  /** A gateway that was replaced is elected within this time only if there is nobody else. */
  gatewayRestMs: 30 * second,

  /** How often an ordinary client is asked to announce. */
  plainAnnounceIntervalMs: 2 * minute,
  /** How often it may announce at most, as BEP 3's `min interval` says to it. */
  plainAnnounceLeastMs: 30 * second,
  /** Connections to the plain tracker at once. Anybody can open one, so there are few. */
  plainAnnouncesUnderwayMax: 256,
  /** Connections to the plain tracker from one address. */
  plainAnnouncesOfAddressMax: 64,
  /** The query of a plain announce. An info hash, a peer id and some numbers need a few hundred. */
  plainQueryMaxChars: 2_048,
  /** Ordinary clients that are remembered, over all payloads. Anybody can announce any number. */
  plainClientsMax: 2_000,
  /**
   * Ordinary clients of one IPv4 address or IPv6 /64 among them, so that one machine does not push
   * out the others.
   */
  plainClientsOfAddressMax: 200,
  /** Peers in the answer to a plain announce. BitTorrent programs ask for 50 by custom. */
  plainPeersMax: 50,
}
